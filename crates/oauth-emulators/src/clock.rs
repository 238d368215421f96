//! The emulator's time: the machine's, shifted by as much as a test asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time an emulator lives in. Cheap to clone; every clone moves the same time.
///
/// ```
/// use std::time::Duration;
///
/// let clock = oauth_emulators::Clock::default();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert!(clock.now() >= before + Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// The emulator's present.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let shift = self.shift_seconds.load(Ordering::Relaxed);
        let magnitude = Duration::from_secs(shift.unsigned_abs());
        let real = SystemTime::now();
        let shifted = if shift < 0 {
            real.checked_sub(magnitude)
        } else {
            real.checked_add(magnitude)
        };
        shifted.unwrap_or(real)
    }

    /// Seconds since 1970, as the protocols write a time.
    #[must_use]
    pub fn epoch_seconds(&self) -> u64 {
        epoch_seconds(self.now())
    }

    /// Moves the emulator's time ahead, by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.shift(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
    }

    pub(crate) fn shift(&self, seconds: i64) {
        let shifted = |shift: i64| Some(shift.saturating_add(seconds).clamp(-FAR, FAR));
        // The closure always answers Some, so the update cannot fail.
        let _ = self
            .shift_seconds
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, shifted);
    }

    pub(crate) fn reset(&self) {
        self.shift_seconds.store(0, Ordering::Relaxed);
    }
}

/// A thousand years: further than any test goes, near enough that no sum of times overflows.
const FAR: i64 = 1000 * 366 * 86_400;

pub(crate) fn epoch_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl oauth_server::Clock for Clock {
    fn now(&self) -> SystemTime {
        self.now()
    }
}
