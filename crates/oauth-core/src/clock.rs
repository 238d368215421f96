//! Time, injected: nothing in this crate asks the system for it but [`SystemClock`].
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use oauth_core::clock::{Clock, ManualClock};
//!
//! let clock = ManualClock::at(SystemTime::UNIX_EPOCH);
//! clock.advance(Duration::from_secs(5));
//! assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
//! ```

use std::{
    any::Any,
    fmt::Debug,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use tokio::sync::Notify;

/// Where the time comes from.
#[async_trait]
pub trait Clock: Any + Debug + Send + Sync {
    /// The wall clock, for expiry: what is stored must mean the same in another process.
    fn now(&self) -> SystemTime;

    /// Time since some fixed moment that never goes backwards, for deadlines.
    fn monotonic(&self) -> Duration;

    /// Ends after `duration`: between polls and before a retry.
    async fn sleep(&self, duration: Duration);
}

/// The clock of the operating system, sleeping on tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl dyn Clock {
    /// Whether it is the operating system's, which can be read without asking the trait.
    pub(crate) fn is_system(&self) -> bool {
        let clock: &dyn Any = self;
        clock.is::<SystemClock>()
    }
}

/// One origin for the process, so that a deadline means the same to every client in it.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl SystemClock {
    /// The system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[inline]
    fn monotonic(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that a test moves. Sleeping moves it too, at once, and is remembered: a test that
/// waits for an hour ends in no time and can say what was waited for.
///
/// One made with [`ManualClock::stepped`] stands still instead: whoever sleeps wakes when the test
/// has moved it far enough.
#[derive(Debug, Clone)]
pub struct ManualClock {
    hands: Arc<Mutex<Manual>>,
    moved: Arc<Notify>,
}

#[derive(Debug)]
struct Manual {
    now: SystemTime,
    monotonic: Duration,
    sleeps: Vec<Duration>,
    stepped: bool,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: SystemTime) -> Self {
        Self::new(now, false)
    }

    /// A clock that stands at `now`, and that nothing but [`ManualClock::advance`] moves: a sleep
    /// lasts until the clock has come that far.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use oauth_core::clock::{Clock, ManualClock};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let clock = ManualClock::stepped(SystemTime::UNIX_EPOCH);
    /// let sleeper = clock.clone();
    /// let nap = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(5)).await });
    /// while clock.sleeps().is_empty() {
    ///     tokio::task::yield_now().await;
    /// }
    /// assert!(!nap.is_finished());
    /// clock.advance(Duration::from_secs(5));
    /// nap.await
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stepped(now: SystemTime) -> Self {
        Self::new(now, true)
    }

    fn new(now: SystemTime, stepped: bool) -> Self {
        Self {
            hands: Arc::new(Mutex::new(Manual {
                now,
                monotonic: Duration::ZERO,
                sleeps: Vec::new(),
                stepped,
            })),
            moved: Arc::default(),
        }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.with(|clock| clock.advance(by));
        self.moved.notify_waiters();
    }

    /// Sets the wall clock alone, also backwards, as an administrator or NTP would.
    pub fn set(&self, now: SystemTime) {
        self.with(|clock| clock.now = now);
    }

    /// Every sleep so far, in order.
    #[must_use]
    pub fn sleeps(&self) -> Vec<Duration> {
        self.with(|clock| clock.sleeps.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Manual) -> T) -> T {
        // A panic elsewhere leaves plain numbers behind, never a half-made state.
        act(&mut self.hands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Manual {
    fn advance(&mut self, by: Duration) {
        self.now = self.now.checked_add(by).unwrap_or(self.now);
        self.monotonic = self.monotonic.saturating_add(by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.with(|clock| clock.now)
    }

    fn monotonic(&self) -> Duration {
        self.with(|clock| clock.monotonic)
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.with(|clock| {
            clock.sleeps.push(duration);
            let until = clock.monotonic.saturating_add(duration);
            if !clock.stepped {
                clock.advance(duration);
            }
            until
        });
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // From here on no movement is missed.
            moved.as_mut().enable();
            if self.monotonic() >= until {
                break;
            }
            moved.await;
        }
        // Let others run, as a real sleep would: a loop of sleeps must not starve them.
        tokio::task::yield_now().await;
    }
}
