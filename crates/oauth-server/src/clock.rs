//! The time the server lives by, injected so that no test waits.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, SystemTime},
};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time; every lifetime and limit of the server is measured with it.
    fn now(&self) -> SystemTime;
}

/// The machine's clock, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands until it is moved, for tests and demonstrations.
#[derive(Debug)]
pub struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: SystemTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock forward by `by`; a step past the end of time leaves it where it is.
    pub fn advance(&self, by: Duration) {
        let mut now = crate::guard::lock(&self.0);
        *now = now.checked_add(by).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *crate::guard::lock(&self.0)
    }
}
