//! A clock that all processes of a machine share.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use oauth_core::clock::{Clock, SystemClock};

/// The time since the machine was started: whoever sets the wall clock does not move it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BootClock;

#[async_trait]
impl Clock for BootClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[cfg(unix)]
    fn monotonic(&self) -> Duration {
        // Linux stops CLOCK_MONOTONIC while the machine sleeps: a lease would outlive its term.
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        rustix::time::clock_gettime(id)
            .try_into()
            .unwrap_or_default()
    }

    /// Without such a clock, the wall clock: a lease may then end early or late, and the fencing
    /// numbers still tell who was late.
    #[cfg(not(unix))]
    fn monotonic(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap_or_default()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock::new().sleep(duration).await;
    }
}
