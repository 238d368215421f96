//! `Retry-After` (RFC 9110 §10.2.3): seconds or one of the three date forms.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// No wait is longer, whatever a server says: a day.
const MAX: Duration = Duration::from_secs(86_400);

/// How long `Retry-After` asks to wait (RFC 9110 §10.2.3), in seconds or until a date, at most a
/// day; a date in the past means now, nonsense means nothing. For a
/// [`Provider::retry_after`](crate::Provider::retry_after) that reads other headers too.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(MAX))
}
