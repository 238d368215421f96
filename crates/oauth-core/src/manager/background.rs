//! What a manager does unasked: removing dead entries, and renewing what nobody asks for. The task
//! starts with the first flight and ends with the last manager. Without it, dead entries go when
//! new ones come.

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    event::Event,
    shared::{FlightKey, Shared},
    timeline::{Moment, nanos},
};
use crate::store::TokenRequest;

/// Whether the task runs, and when it is time to tidy where there is none.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    running: Arc<AtomicBool>,
    tidy_at: AtomicU64,
}

/// Held by the task: when it ends, also with its runtime, the next flight starts another.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

/// At most this many owners at a time.
const BATCH: usize = 100;
/// How many times as many are removed from a store, or looked through, in one round: more than can
/// end in it.
const BATCHES: usize = 1000;
/// How often dead entries are looked for.
const ROUND: Duration = Duration::from_secs(30);
/// A dead entry is kept this much longer, for whoever wants to know why.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// In a store a day longer: others share it, and the clock of this machine may be ahead of theirs.
const STORE_GRACE: Duration = Duration::from_secs(86_400);

impl Chores {
    pub(crate) fn start(&self, shared: &Arc<Shared>, runtime: &tokio::runtime::Handle) {
        if !shared.settings.background || self.running.swap(true, SeqCst) {
            return;
        }
        let running = Running(Arc::clone(&self.running));
        let clock = Arc::clone(&shared.clock);
        let round = ROUND
            .min(shared.policy.longest_window() / 4)
            .max(Duration::from_secs(1));
        let shared = Arc::downgrade(shared);
        runtime.spawn(async move {
            let _running = running;
            loop {
                // Nothing is held while sleeping, so that the last manager can go.
                clock.sleep(round).await;
                let Some(shared) = Weak::upgrade(&shared) else {
                    return;
                };
                shared.purge().await;
                shared.renew_due().await;
            }
        });
    }

    /// Whether it is time: for one who asks, each round.
    fn is_time(&self, now: Moment) -> bool {
        let at = self.tidy_at.load(Relaxed);
        let next = now.saturating_add(nanos(ROUND));
        let due = at <= now
            && self
                .tidy_at
                .compare_exchange(at, next, Relaxed, Relaxed)
                .is_ok();
        // The first to come finds nothing that is dead.
        due && at > 0
    }
}

impl Shared {
    /// Lets whoever brings a token have the dead ones removed, now and then.
    pub(crate) fn tidy(self: &Arc<Self>) {
        if self.settings.background || !self.chores.is_time(self.timeline.now()) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let shared = Arc::clone(self);
            runtime.spawn(async move { shared.purge().await });
        }
    }

    /// Removes what has ended for good; how many owners.
    pub(crate) async fn purge(&self) -> usize {
        let now = self.timeline.now();
        let alive = |kept: &super::kept::Kept| {
            kept.can_refresh() || kept.end().saturating_add(nanos(GRACE)) > now
        };
        let mut owners = self.table.retain(alive);
        if self.store.is_some() && self.table.len() > self.settings.capacity {
            owners += self.evict();
        }
        if let Some(store) = &self.store {
            let before = self.clock.now() - STORE_GRACE;
            for _ in 0..BATCHES {
                // What the store cannot do now it does the next time.
                let gone = store.purge(before, BATCH).await.unwrap_or_default();
                owners += gone;
                if gone < BATCH {
                    break;
                }
            }
        }
        if owners > 0 {
            self.tell(&Event::Purged { owners });
        }
        owners
    }

    /// Lets go of what can be read from the store again: first what ends first.
    fn evict(&self) -> usize {
        let mut ends = self.table.ends();
        let mut excess = ends.len().saturating_sub(self.settings.capacity);
        if excess == 0 {
            return 0;
        }
        let (_, edge, _) = ends.select_nth_unstable(excess - 1);
        let edge = *edge;
        self.table.retain_owners(|key, end| {
            // Of many that end at once, as many as are too many.
            let goes = excess > 0 && end <= edge && !self.unsaved.contains(key);
            excess -= usize::from(goes);
            !goes
        })
    }

    async fn renew_due(self: &Arc<Self>) {
        let mut flying = JoinSet::new();
        self.renew_due_in_store(&mut flying).await;
        let now = self.timeline.now();
        let soon = |kept: &super::kept::Kept| kept.can_refresh() && now >= self.advisory_at(kept);
        let mut due = self.table.requests(soon);
        due.sort_unstable_by_key(|(end, _)| *end);
        for (_, key) in due {
            self.renew_unasked(&key, &mut flying).await;
        }
    }

    /// What is only in the store so far. What has a while left is read now, and renewed the next
    /// time.
    async fn renew_due_in_store(self: &Arc<Self>, flying: &mut JoinSet<()>) {
        let (Some(store), Some(before)) = (
            &self.store,
            self.clock.now().checked_add(self.policy.longest_window()),
        ) else {
            return;
        };
        let mut seen = HashSet::new();
        let mut limit = BATCH;
        loop {
            let owners = store.due(before, limit).await.unwrap_or_default();
            let ours = |owner| self.registrations().key(owner);
            let keys: Vec<_> = owners.iter().filter_map(ours).collect();
            for owner in keys {
                let key = FlightKey {
                    owner: owner.clone(),
                    request: TokenRequest::any(),
                };
                if seen.insert(owner) && self.find(&key).is_none() {
                    self.renew_unasked(&key, flying).await;
                }
            }
            // Other services' owners, and those that fail, stay at the head: look past them.
            if owners.len() < limit || limit >= BATCH * BATCHES {
                return;
            }
            limit *= 2;
        }
    }

    /// Renews one unless that failed lately. Of those that are renewed unasked so many are under way
    /// at a time.
    async fn renew_unasked(self: &Arc<Self>, key: &FlightKey, flying: &mut JoinSet<()>) {
        let now = self.timeline.now();
        let found = self.find(key);
        let fresh = |kept: &Arc<super::kept::Kept>| now < self.advisory_at(kept);
        let Some(registration) = self.registration(&key.owner) else {
            return;
        };
        if found.as_ref().is_some_and(fresh) {
            return;
        }
        if let Some(waiter) = self.renew_in_background(&registration, key, found) {
            flying.spawn(async move { drop(waiter.wait().await) });
        }
        if flying.len() >= BATCH {
            flying.join_next().await;
        }
    }
}
