//! Which failures are worth another try, and how long to wait before it.
//!
//! ```
//! use std::time::Duration;
//! use oauth_core::RetryPolicy;
//!
//! let patient = RetryPolicy::default().with_max_retries(5).with_max_delay(Duration::from_secs(30));
//! let never = RetryPolicy::none();
//! ```

use std::time::Duration;

use http::StatusCode;

/// Whether a request may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// Never: a one-time code (RFC 6749 §4.1.2).
    Never,
    /// Only when nothing can have reached the server: a refresh token that it may have rotated.
    Unsent,
    /// Also after an answer that says "not now".
    Always,
}

/// How waits are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything between nothing and the whole delay: replicas spread out.
    Full,
    /// The delay and up to this much more.
    Added(Duration),
}

/// Which failures are tried again, how often, and after how long.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    max_retries: u32,
    initial_delay: Duration,
    max_delay: Duration,
    factor: f64,
    jitter: Jitter,
    max_elapsed: Duration,
    statuses: Vec<u16>,
    connect_errors: bool,
    replay_refresh: bool,
}

impl Default for RetryPolicy {
    /// Three more tries after connect errors and 429, 502, 503, 504; full jitter over 0.5 s,
    /// doubled each time, at most 20 s; at most a minute in all.
    fn default() -> Self {
        Self {
            max_retries: 3,
            initial_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(20),
            factor: 2.0,
            jitter: Jitter::Full,
            max_elapsed: Duration::from_secs(60),
            statuses: vec![429, 502, 503, 504],
            connect_errors: true,
            replay_refresh: false,
        }
    }
}

impl RetryPolicy {
    /// No second try at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// Sets how many more tries there are at most.
    #[must_use]
    pub fn with_max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = max_retries;
        self
    }

    /// Sets the delay before the first retry.
    #[must_use]
    pub fn with_initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// Sets the longest delay, which also caps what the server asks for: a longer wish is not
    /// waited for, the error carries it instead.
    #[must_use]
    pub fn with_max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets what the delay is multiplied with after each try.
    #[must_use]
    pub fn with_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets how delays are drawn.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets after how long no further try is begun.
    #[must_use]
    pub fn with_max_elapsed(mut self, max_elapsed: Duration) -> Self {
        self.max_elapsed = max_elapsed;
        self
    }

    /// The policy with a limit of `elapsed`, unless it has a shorter one.
    pub(crate) fn within(self, elapsed: Duration) -> Self {
        let max_elapsed = self.max_elapsed.min(elapsed);
        self.with_max_elapsed(max_elapsed)
    }

    /// Sets which statuses are tried again.
    #[must_use]
    pub fn with_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Takes a status out of those that are tried again.
    #[must_use]
    pub fn without_status(mut self, status: u16) -> Self {
        self.statuses.retain(|have| *have != status);
        self
    }

    /// Sets whether a connection that could not be made is tried again.
    #[must_use]
    pub fn with_connect_errors(mut self, connect_errors: bool) -> Self {
        self.connect_errors = connect_errors;
        self
    }

    /// Says that this server keeps a refresh token usable when its answer was not a success, so
    /// that a refresh may be repeated after one.
    #[must_use]
    pub fn with_replay_refresh(mut self, replay_refresh: bool) -> Self {
        self.replay_refresh = replay_refresh;
        self
    }

    pub(crate) fn allows_status(&self, status: StatusCode, replay: Replay) -> bool {
        let replayable =
            replay == Replay::Always || replay == Replay::Unsent && self.replay_refresh;
        replayable && self.statuses.contains(&status.as_u16())
    }

    pub(crate) fn allows_connect_error(&self, replay: Replay) -> bool {
        replay != Replay::Never && self.connect_errors
    }

    /// How long to wait before try `retry` (0 is the first retry); `None` when there is none.
    /// `fraction` is random in `0.0..1.0`.
    pub(crate) fn delay(
        &self,
        retry: u32,
        elapsed: Duration,
        asked: Option<Duration>,
        fraction: f64,
    ) -> Option<Duration> {
        if retry >= self.max_retries {
            return None;
        }
        let wait = match asked {
            Some(asked) if asked > self.max_delay => return None,
            Some(asked) if !asked.is_zero() => asked,
            _ => self.backoff(retry, fraction),
        };
        (elapsed.saturating_add(wait) <= self.max_elapsed).then_some(wait)
    }

    fn backoff(&self, retry: u32, fraction: f64) -> Duration {
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        let cap = self.max_delay.as_secs_f64();
        let grown = (self.initial_delay.as_secs_f64() * self.factor.powi(exponent)).min(cap);
        let drawn = match self.jitter {
            Jitter::Full => grown * fraction,
            Jitter::Added(most) => grown + most.as_secs_f64() * fraction,
        };
        Duration::try_from_secs_f64(drawn.min(cap)).unwrap_or(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_are_capped_and_end() {
        let policy = RetryPolicy::default().with_max_delay(Duration::from_secs(2));
        let delay = |retry| policy.delay(retry, Duration::ZERO, None, 1.0);
        assert_eq!(delay(0), Some(Duration::from_millis(500)));
        assert_eq!(delay(1), Some(Duration::from_secs(1)));
        assert_eq!(delay(2), Some(Duration::from_secs(2)));
        assert_eq!(delay(3), None);
        assert_eq!(policy.delay(0, Duration::from_secs(60), None, 1.0), None);
        assert_eq!(policy.backoff(u32::MAX, 1.0), Duration::from_secs(2));
    }

    #[test]
    fn the_servers_wish_counts_up_to_the_cap() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.delay(0, Duration::ZERO, Some(Duration::from_secs(3)), 0.0),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            policy.delay(0, Duration::ZERO, Some(Duration::from_secs(21)), 0.0),
            None
        );
    }

    #[test]
    fn a_refresh_is_repeated_only_when_the_provider_says_so() {
        let policy = RetryPolicy::default();
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert!(policy.allows_status(unavailable, Replay::Always));
        assert!(!policy.allows_status(unavailable, Replay::Unsent));
        assert!(
            policy
                .clone()
                .with_replay_refresh(true)
                .allows_status(unavailable, Replay::Unsent)
        );
        assert!(
            !policy
                .clone()
                .with_replay_refresh(true)
                .allows_status(unavailable, Replay::Never)
        );
        assert!(
            policy.allows_connect_error(Replay::Unsent)
                && !policy.allows_connect_error(Replay::Never)
        );
    }
}
