//! The budget of points that every answer of Helix names.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// No wait is longer: the bucket fills within a minute. A clock that is wrong by hours must not
/// stop a program for hours.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What the `Ratelimit-*` headers say.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use twitch::helix::RateLimit;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("ratelimit-limit", "800".parse()?);
/// headers.insert("ratelimit-remaining", "0".parse()?);
/// headers.insert("ratelimit-reset", "1000000002".parse()?);
/// let limit = RateLimit::from_headers(&headers).ok_or("no headers")?;
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
/// assert_eq!(limit.wait(now), Duration::from_secs(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: SystemTime,
}

impl RateLimit {
    /// The budget in the headers of an answer; `None` when they name no time at which it is full
    /// again.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let reset =
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(number("ratelimit-reset")?))?;
        Some(Self {
            limit: number("ratelimit-limit"),
            remaining: number("ratelimit-remaining"),
            reset,
        })
    }

    /// How many points a full budget has: 800 a minute, unless Twitch gave you more.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// How many points are left.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// When the budget is full again.
    #[must_use]
    pub fn reset(&self) -> SystemTime {
        self.reset
    }

    /// How long it is from `now` until the budget is full again, at most a minute; nothing once
    /// that time has passed.
    #[must_use]
    pub fn wait(&self, now: SystemTime) -> Duration {
        self.reset
            .duration_since(now)
            .unwrap_or_default()
            .min(MAX_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(reset: &str) -> Option<RateLimit> {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit-reset", reset.parse().unwrap());
        RateLimit::from_headers(&headers)
    }

    #[test]
    fn the_reset_is_a_time_and_the_wait_is_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let wait = |reset| limit(reset).unwrap().wait(now);
        assert_eq!(wait("1002"), Duration::from_secs(2));
        assert_eq!(wait("999"), Duration::ZERO, "it has passed");
        assert_eq!(wait("9999"), MAX_WAIT, "a clock is wrong");
        assert_eq!(
            (limit("7").unwrap().limit(), limit("7").unwrap().remaining()),
            (None, None)
        );
    }

    #[test]
    fn nonsense_is_no_limit() {
        for bad in [
            "",
            "-1",
            "soon",
            "99999999999999999999999",
            "18446744073709551615",
        ] {
            assert_eq!(limit(bad), None, "{bad}");
        }
        assert_eq!(RateLimit::from_headers(&HeaderMap::new()), None);
    }
}
