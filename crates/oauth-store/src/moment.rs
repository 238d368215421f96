//! Times as a database keeps them: whole microseconds since the Unix epoch.

use std::time::{Duration, SystemTime};

/// Microseconds; a time too far for 64 bits is the furthest.
pub(crate) fn write(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |at| -at),
    }
}

/// The time of [`write`]; a time that no clock here can show is the epoch: long ago.
pub(crate) fn read(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let time = match micros {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A lease's length in microseconds, at most ten years.
pub(crate) fn ttl(ttl: Duration) -> i64 {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);
    i64::try_from(ttl.min(LONGEST).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, i64::MAX] {
            assert_eq!(write(read(micros)), micros);
        }
    }
}
