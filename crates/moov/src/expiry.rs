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
    let seconds = match &*value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(
        seconds.filter(|seconds| *seconds > LONGEST)?,
    ))?;
    let lifetime = at.duration_since(issued_at).unwrap_or_default().as_secs();
    *value = Value::from(lifetime);
    // Further away than any token lives, it is no time that this server meant: ten years at most.
    (lifetime <= LONGEST).then_some(at)
}
