//! Lifetimes as servers write them: a number, a number with a fraction, a number in a text.

use std::time::Duration;

use serde_json::Value;

use crate::Error;

/// No lifetime is longer, whatever a server says: ten years, in seconds.
const MAX: u64 = 315_360_000;

/// The seconds in `value`, rounded down, at most ten years.
///
/// # Errors
/// A protocol error that names the member when the value is negative or no number of seconds;
/// "for ever" is never guessed.
pub(crate) fn seconds(value: &Value, member: &'static str) -> Result<Duration, Error> {
    let read = match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => digits(text.trim_matches(' ')),
        _ => None,
    };
    let seconds = read.ok_or_else(|| {
        Error::protocol(format!("member \"{member}\" is not a number of seconds"))
    })?;
    Ok(Duration::from_secs(seconds.min(MAX)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie within 0..=MAX"
)]
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0).then(|| number.min(MAX as f64) as u64)
}

fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits alone can only fail by being too many.
    Some(text.parse().unwrap_or(MAX))
}
