//! A clock that only the case moves.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::clock::{Clock, ManualClock};
use tokio::sync::watch;

use super::setting::PATIENCE;
use crate::{Failure, Outcome};

/// A clock that only the case moves: whoever sleeps on it waits until then. Time that passed by
/// itself while an answer is on its way would make a case depend on how fast a machine is.
#[derive(Debug, Clone)]
pub(super) struct StillClock {
    time: ManualClock,
    moved: Arc<watch::Sender<()>>,
    asleep: Arc<watch::Sender<usize>>,
}

impl StillClock {
    pub(super) fn new(time: &ManualClock) -> Self {
        Self {
            time: time.clone(),
            moved: Arc::default(),
            asleep: Arc::default(),
        }
    }

    pub(super) fn advance(&self, by: Duration) {
        self.time.advance(by);
        self.moved.send_replace(());
    }

    /// Sets the wall clock alone.
    pub(super) fn set(&self, now: SystemTime) {
        self.time.set(now);
    }

    /// Waits until as many sleep as `enough` wants.
    pub(super) async fn asleep(&self, enough: impl FnMut(&usize) -> bool) -> Outcome {
        let mut asleep = self.asleep.subscribe();
        let waited = tokio::time::timeout(PATIENCE, asleep.wait_for(enough)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Failure::new(format!(
                "expected somebody to wait on the clock, {} do after 30 s",
                self.sleepers()
            ))),
        }
    }

    pub(super) fn sleepers(&self) -> usize {
        *self.asleep.borrow()
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> SystemTime {
        self.time.now()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.time.monotonic().saturating_add(duration);
        let mut moved = self.moved.subscribe();
        let _asleep = Asleep::new(&self.asleep);
        while self.time.monotonic() < until {
            // The sender is held here: it cannot be gone.
            let _ = moved.changed().await;
        }
    }
}

/// Counts a sleeper, also one that is dropped in its sleep.
struct Asleep<'a>(&'a watch::Sender<usize>);

impl<'a> Asleep<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
