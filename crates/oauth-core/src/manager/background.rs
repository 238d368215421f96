//! What a manager does unasked: removing dead entries, and renewing what nobody asks for. The task
//! starts with the first flight and ends with the last manager.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    event::Event,
    shared::{FlightKey, Shared},
    table::Key,
    timeline::{Moment, nanos},
};
use crate::store::TokenRequest;

/// Whether the task runs.
#[derive(Debug, Default)]
pub(crate) struct Chores(AtomicBool);

/// At most this many owners at a time.
const BATCH: usize = 100;
/// How many times as many are removed from a store in one round: more than can end in it.
const BATCHES: usize = 1000;
/// How often dead entries are looked for.
const ROUND: Duration = Duration::from_secs(30);
/// A dead entry is kept this much longer, for whoever wants to know why.
const GRACE: Duration = Duration::from_secs(60);

impl Chores {
    pub(crate) fn start(&self, shared: &Arc<Shared>, runtime: &tokio::runtime::Handle) {
        if !shared.settings.background || self.0.swap(true, SeqCst) {
            return;
        }
        let clock = Arc::clone(&shared.clock);
        let round = ROUND
            .min(shared.policy.longest_window() / 4)
            .max(Duration::from_secs(1));
        let shared = Arc::downgrade(shared);
        runtime.spawn(async move {
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
}

impl Shared {
    /// Removes what has ended for good; how many owners.
    pub(crate) async fn purge(&self) -> usize {
        let now = self.timeline.now();
        let alive = |kept: &super::kept::Kept| {
            kept.can_refresh() || kept.end().saturating_add(nanos(GRACE)) > now
        };
        let mut owners = self.table.retain(alive);
        if self.store.is_some() && self.table.len() > self.settings.capacity {
            owners += self.evict(now);
        }
        if let Some(store) = &self.store {
            let before = self.clock.now() - GRACE;
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
    fn evict(&self, now: Moment) -> usize {
        let mut ends: Vec<Moment> = Vec::with_capacity(self.table.len());
        self.table.each(|kept| ends.push(kept.end()));
        let excess = self.table.len().saturating_sub(self.settings.capacity);
        if excess == 0 || excess >= ends.len() {
            return 0;
        }
        let (_, edge, _) = ends.select_nth_unstable(excess);
        let edge = (*edge).max(now);
        self.table
            .retain_keys(|key, kept| kept.end() >= edge || self.unsaved.contains(key))
    }

    async fn renew_due(self: &Arc<Self>) {
        let before = self.clock.now() + self.policy.longest_window();
        let mut due: Vec<Key> = Vec::new();
        if let Some(store) = &self.store {
            for owner in store.due(before, BATCH).await.unwrap_or_default() {
                let registrations = self.registrations();
                due.extend(registrations.iter().find_map(|have| have.key(&owner)));
            }
        }
        let now = self.timeline.now();
        let soon = |kept: &super::kept::Kept| kept.can_refresh() && now >= self.advisory_at(kept);
        due.extend(self.table.keys(soon).into_iter().take(BATCH));
        due.sort_unstable_by(|a, b| {
            (a.registration, &a.subject).cmp(&(b.registration, &b.subject))
        });
        due.dedup();
        for owner in due {
            let Some(registration) = self.registration(&owner) else {
                continue;
            };
            let key = FlightKey {
                owner,
                request: TokenRequest::any(),
            };
            let found = self.find(&key);
            if found
                .as_ref()
                .is_none_or(|kept| now >= self.advisory_at(kept))
            {
                // One that is only in the store so far is read first, and renewed the next time.
                self.renew_in_background(&registration, &key, found);
            }
        }
    }
}
