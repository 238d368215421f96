//! When each token is to be validated next.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use oauth_core::{clock::Clock, store::Subject};

use super::{Inner, Session};

/// How often Twitch wants to be asked.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// After an answer that says nothing about the token.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// How often the background looks what is due.
const ROUND: Duration = Duration::from_secs(60);

pub(super) struct Validations {
    checked: Mutex<HashMap<Subject, Arc<Checked>>>,
    in_background: bool,
    started: AtomicBool,
}

/// The validations of one token.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// In nanoseconds of the clock that stands still while the machine sleeps, and of the one that
    /// can be set: whichever comes first.
    due: [AtomicU64; 2],
    /// One at a time asks; the others wait for what it hears.
    pub(super) asking: tokio::sync::Mutex<()>,
}

impl Checked {
    pub(super) fn is_due(&self, clock: &dyn Clock) -> bool {
        let now = now(clock);
        now.iter()
            .zip(&self.due)
            .any(|(now, due)| *now >= due.load(Relaxed))
    }

    pub(super) fn due_in(&self, clock: &dyn Clock, wait: Duration) {
        for (now, due) in now(clock).into_iter().zip(&self.due) {
            due.store(now.saturating_add(nanos(wait)), Relaxed);
        }
    }

    pub(super) fn due_now(&self) {
        for due in &self.due {
            due.store(0, Relaxed);
        }
    }
}

impl Validations {
    pub(super) fn new(in_background: bool) -> Self {
        Self {
            checked: Mutex::default(),
            in_background,
            started: AtomicBool::new(false),
        }
    }

    pub(super) fn of(&self, subject: &Subject, clock: &dyn Clock) -> Arc<Checked> {
        let mut checked = self.lock();
        if let Some(have) = checked.get(subject) {
            return Arc::clone(have);
        }
        if checked.len() == checked.capacity() {
            // Whoever is not in use and due anyway is due when they come back, too.
            checked.retain(|_, have| in_use(have) || !have.is_due(clock));
        }
        let new = Arc::<Checked>::default();
        checked.insert(subject.clone(), Arc::clone(&new));
        new
    }

    /// Those that are due and in use.
    pub(super) fn due(&self, clock: &dyn Clock) -> Vec<Subject> {
        let checked = self.lock();
        let due = checked
            .iter()
            .filter(|(_, have)| in_use(have) && have.is_due(clock));
        due.map(|(subject, _)| subject.clone()).collect()
    }

    /// Starts the background, if it is wanted and there is a runtime.
    pub(super) fn start(&self, inner: &Arc<Inner>) {
        if !self.in_background || self.started.load(Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.started.swap(true, Relaxed) {
            return;
        }
        let clock = Arc::clone(inner.client.core().clock());
        let inner = Arc::downgrade(inner);
        runtime.spawn(async move {
            loop {
                // Nothing is held while sleeping, so that the session can go.
                clock.sleep(ROUND).await;
                let Some(inner) = Weak::upgrade(&inner) else {
                    return;
                };
                Session(inner).validate_due().await;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Checked>>> {
        // A change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a handle.
fn in_use(checked: &Arc<Checked>) -> bool {
    Arc::strong_count(checked) > 1
}

fn now(clock: &dyn Clock) -> [u64; 2] {
    let wall = clock.now().duration_since(SystemTime::UNIX_EPOCH);
    [nanos(clock.monotonic()), nanos(wall.unwrap_or_default())]
}

/// As a number; five hundred years fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
