//! Time for what is kept in memory: a clock that never goes back.
//!
//! The monotonic clock alone stands still while the machine is suspended, the wall clock alone can
//! be set back and lengthen a life. Here the monotonic one rules, and once a second of it the wall
//! clock is asked whether it is further on: after a suspend the earlier expiry wins, and a reading
//! costs one clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use crate::clock::{Clock, SystemClock};

/// Nanoseconds since the Unix epoch, on the timeline of this process.
pub(crate) type Moment = u64;

/// A moment that never comes.
pub(crate) const NEVER: Moment = u64::MAX;

const LOOK: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Timeline {
    clock: Arc<dyn Clock>,
    /// Whether it is the system's: every header reads it, and a call through the trait costs a
    /// tenth of that.
    system: bool,
    /// Wall minus monotonic time, as far on as it ever was.
    offset: AtomicU64,
    /// The monotonic time of the next look at the wall clock.
    look: AtomicU64,
}

impl Timeline {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            system: clock.is_system(),
            clock,
            offset: AtomicU64::new(0),
            look: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Moment {
        let monotonic = nanos(match self.system {
            true => SystemClock.monotonic(),
            false => self.clock.monotonic(),
        });
        if monotonic >= self.look.load(Relaxed) {
            self.look(monotonic);
        }
        self.offset.load(Relaxed).saturating_add(monotonic)
    }

    /// Where a moment of the wall clock lies, going by what the wall clock says now.
    pub(crate) fn moment(&self, wall: SystemTime) -> Moment {
        let now = self.now();
        match wall.duration_since(self.clock.now()) {
            Ok(ahead) => now.saturating_add(nanos(ahead)),
            Err(behind) => now.saturating_sub(nanos(behind.duration())),
        }
    }

    #[cold]
    fn look(&self, monotonic: u64) {
        let wall = self.clock.now().duration_since(SystemTime::UNIX_EPOCH);
        let wall = nanos(wall.unwrap_or_default());
        self.offset
            .fetch_max(wall.saturating_sub(monotonic), Relaxed);
        self.look.store(monotonic.saturating_add(LOOK), Relaxed);
    }
}

/// As a number; five hundred years fit.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    #[test]
    fn a_clock_set_back_lengthens_nothing() {
        let clock = ManualClock::at(start());
        let timeline = Timeline::new(Arc::new(clock.clone()));
        let deadline = timeline.moment(start() + Duration::from_secs(60));
        clock.set(start() - Duration::from_secs(3600));
        clock.advance(Duration::from_secs(60));
        assert_eq!(timeline.now(), deadline);
    }

    #[test]
    fn after_a_suspend_the_wall_clock_is_believed_within_a_second() {
        let clock = ManualClock::at(start());
        let timeline = Timeline::new(Arc::new(clock.clone()));
        let deadline = timeline.moment(start() + Duration::from_secs(60));
        clock.set(start() + Duration::from_secs(3600));
        assert!(timeline.now() < deadline);
        clock.advance(Duration::from_secs(1));
        assert!(timeline.now() >= deadline);
    }

    #[test]
    fn a_clock_that_jumped_and_came_back_does_not_age_new_tokens() {
        let clock = ManualClock::at(start());
        let timeline = Timeline::new(Arc::new(clock.clone()));
        clock.set(start() + Duration::from_secs(3600));
        timeline.now();
        clock.advance(Duration::from_secs(1));
        timeline.now();
        clock.set(start());
        let deadline = timeline.moment(start() + Duration::from_secs(60));
        assert_eq!(deadline - timeline.now(), 60 * 1_000_000_000);
    }
}
