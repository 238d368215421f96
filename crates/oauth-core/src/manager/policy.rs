//! When a token is renewed.

use std::time::Duration;

use super::timeline::{Moment, NEVER, nanos};

/// When a token is renewed, how failures are remembered, and how much is done at once.
///
/// Its end is that of `expires_in` (RFC 6749 §5.1). A token without one is renewed when an API
/// refuses it, or when [introspection](super::TokenManagerBuilder::auto_introspect) says its end.
///
/// ```
/// use std::time::Duration;
/// use oauth_core::manager::RefreshPolicy;
///
/// let policy = RefreshPolicy::default().with_advisory(Duration::from_secs(600));
/// ```
#[derive(Debug, Clone)]
pub struct RefreshPolicy {
    advisory: Duration,
    mandatory: Duration,
    first_backoff: Duration,
    max_backoff: Duration,
    remember_failures: bool,
    lease: Duration,
    concurrency: usize,
    accept_superset: bool,
}

impl Default for RefreshPolicy {
    /// Five minutes before its end a token is renewed in the background, one minute before it
    /// everybody waits for the new one; of a short life at most a third and a fifth. A failure is
    /// remembered for 1 s, doubled each time up to a minute. 64 requests run at once.
    fn default() -> Self {
        Self {
            advisory: Duration::from_secs(300),
            mandatory: Duration::from_secs(60),
            first_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
            remember_failures: true,
            lease: Duration::from_secs(45),
            concurrency: 64,
            accept_superset: false,
        }
    }
}

impl RefreshPolicy {
    /// Sets how long before its end a token is renewed while it is still handed out. A random
    /// part of up to a quarter is taken off, another one for each token and process, so that many
    /// processes with one expiry do not all come at once.
    #[must_use]
    pub fn with_advisory(mut self, window: Duration) -> Self {
        self.advisory = window;
        self
    }

    /// Sets how long before its end a token is no longer handed out while it can be renewed.
    /// When renewing fails it is, to its very end.
    #[must_use]
    pub fn with_mandatory(mut self, window: Duration) -> Self {
        self.mandatory = window;
        self
    }

    /// Sets how long a failure is remembered: the first time, and at most.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, most: Duration) -> Self {
        self.first_backoff = first;
        self.max_backoff = most;
        self
    }

    /// Sets whether a failure is told to those who come after it, too. If not, each call that finds
    /// no token asks again, however often it was refused; while an older token still works, a
    /// failure to renew it is remembered all the same.
    #[must_use]
    pub fn with_failures_remembered(mut self, remember: bool) -> Self {
        self.remember_failures = remember;
        self
    }

    /// Sets for how long this process may keep others from refreshing: 45 s, if not set. It should
    /// be longer than the client's [time limit](crate::Limits::total) of a request; what is beyond
    /// that is left for tries after the first. After a crash the others wait as long.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how many token requests run at once, over all owners.
    #[must_use]
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Also takes a token that can do more than was asked for.
    #[must_use]
    pub fn with_accept_superset(mut self, accept: bool) -> Self {
        self.accept_superset = accept;
        self
    }

    pub(crate) fn remembers_failures(&self) -> bool {
        self.remember_failures
    }

    pub(crate) fn max_backoff(&self) -> Duration {
        self.max_backoff
    }

    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub(crate) fn accepts_superset(&self) -> bool {
        self.accept_superset
    }

    pub(crate) fn longest_window(&self) -> Duration {
        self.advisory.max(self.mandatory)
    }

    /// From when a token is renewed in the background. `draw` is anything that is random for this
    /// process and token.
    #[inline]
    pub(crate) fn advisory_at(&self, end: Moment, lifetime: u64, draw: u64) -> Moment {
        if end == NEVER {
            return NEVER;
        }
        let window = nanos(self.advisory).min(lifetime / 3);
        let off = (window / 4 / 1024).saturating_mul(draw % 1024);
        end.saturating_sub(window - off)
            .min(self.mandatory_at(end, lifetime))
    }

    /// From when a token is renewed before it is used.
    #[inline]
    pub(crate) fn mandatory_at(&self, end: Moment, lifetime: u64) -> Moment {
        if end == NEVER {
            return NEVER;
        }
        end.saturating_sub(nanos(self.mandatory).min(lifetime / 5))
    }

    /// How long failure `count` (from 1) is remembered; `fraction` is random in `0.0..1.0`.
    pub(crate) fn backoff(&self, count: u32, asked: Option<Duration>, fraction: f64) -> Duration {
        let doubled = self
            .first_backoff
            .saturating_mul(1 << count.saturating_sub(1).min(16));
        let grown = doubled.min(self.max_backoff);
        let drawn = grown.mul_f64(0.5 + fraction / 2.0);
        asked.map_or(drawn, |asked| asked.max(drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_edge_is_exact() {
        let policy = RefreshPolicy::default();
        let (end, life) = (10_000 * SECOND, 3600 * SECOND);
        assert_eq!(policy.mandatory_at(end, life), end - 60 * SECOND);
        assert_eq!(policy.advisory_at(end, life, 0), end - 300 * SECOND);
        let late = policy.advisory_at(end, life, 1023);
        assert!(late > end - 300 * SECOND && late <= end - 225 * SECOND);
    }

    #[test]
    fn a_short_life_is_mostly_used() {
        let policy = RefreshPolicy::default();
        assert_eq!(policy.mandatory_at(10 * SECOND, 10 * SECOND), 8 * SECOND);
        assert_eq!(policy.mandatory_at(0, 0), 0);
        assert_eq!(policy.mandatory_at(NEVER, NEVER), NEVER);
    }

    #[test]
    fn the_servers_wish_is_the_least_wait() {
        let policy = RefreshPolicy::default();
        let wish = Duration::from_secs(120);
        assert_eq!(policy.backoff(1, Some(wish), 0.0), wish);
        assert_eq!(policy.backoff(1, None, 0.0), Duration::from_millis(500));
        assert!(policy.backoff(u32::MAX, None, 0.99) <= Duration::from_secs(60));
    }
}
