//! When a token ends: Moov's specification says that `expires_in` is a Unix time; older examples
//! and clients mean seconds.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

/// A value of `expires_in` above this many seconds, ten years, is a Unix time.
const LONGEST: u64 = 315_360_000;

/// Takes an `expires_in` that is a Unix time out of an answer, and puts a lifetime in its place.
pub(crate) fn take_unix_time(
    members: &mut Map<String, Value>,
    issued_at: SystemTime,
) -> Option<SystemTime> {
    let value = members.get_mut("expires_in")?;
    let number = match &*value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => digits(text.trim()),
        _ => None,
    };
    let seconds = Duration::try_from_secs_f64(number?).ok()?.as_secs();
    if seconds <= LONGEST {
        return None;
    }
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let lifetime = at.duration_since(issued_at).unwrap_or_default().as_secs();
    *value = Value::from(lifetime);
    // Further away than any token lives, it is no time that this server meant: ten years at most.
    (lifetime <= LONGEST).then_some(at)
}

/// A number without sign or exponent.
fn digits(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}
