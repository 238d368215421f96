//! How long Moov asks to wait. It has said so in several headers over the years; the official SDKs
//! read a further one.

use std::time::Duration;

use http::{HeaderMap, header};

/// No wait is longer, whatever a header says: a day.
const MAX: Duration = Duration::from_secs(86_400);

/// The wait in `retry-after-ms`, in a `Retry-After` of seconds (a fraction is fine), or in
/// `X-Retry-In` (milliseconds, or a duration such as `1m2.5s`), in this order. A `Retry-After`
/// that is a date is `date`, read elsewhere.
pub(crate) fn hint(
    headers: &HeaderMap,
    date: impl FnOnce() -> Option<Duration>,
) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = |text| decimal(text).and_then(|number| seconds(number / 1000.0));
    text("retry-after-ms")
        .and_then(millis)
        .or_else(|| {
            text(header::RETRY_AFTER.as_str())
                .and_then(decimal)
                .and_then(seconds)
        })
        .or_else(date)
        .or_else(|| text("x-retry-in").and_then(|text| millis(text).or_else(|| duration(text))))
        .map(|wait| wait.min(MAX))
}

/// A duration as Go prints it: numbers with units, largest first.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c != '.' && !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(
            after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len()),
        );
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += decimal(number)? * scale;
        rest = after;
    }
    seconds(sum).filter(|_| !text.is_empty())
}

/// Digits with at most one point; no sign, no exponent, no "inf".
fn decimal(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.min(MAX.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        hint(&headers, || None)
    }

    #[test]
    fn every_form_is_read() {
        for (name, value, millis) in [
            ("retry-after-ms", "1500", 1500),
            ("retry-after", "2", 2000),
            ("retry-after", "1.5", 1500),
            ("x-retry-in", "250", 250),
            ("x-retry-in", "1.5s", 1500),
            ("x-retry-in", "1m2s500ms", 62_500),
            ("x-retry-in", "300ms", 300),
            ("retry-after", "99999999999999999999", 86_400_000),
            ("x-retry-in", "9999h", 86_400_000),
        ] {
            assert_eq!(
                read(&[(name, value)]),
                Some(Duration::from_millis(millis)),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn nonsense_is_no_hint() {
        for value in [
            "", "-1", "soon", "inf", "NaN", "1e9", ".", "1.2.3", "5 s", "s", "1x", "1s2", "١",
        ] {
            for name in ["retry-after-ms", "retry-after", "x-retry-in"] {
                assert_eq!(read(&[(name, value)]), None, "{name}: {value}");
            }
        }
    }

    #[test]
    fn the_finer_header_wins() {
        assert_eq!(
            read(&[
                ("retry-after", "9"),
                ("retry-after-ms", "20"),
                ("x-retry-in", "7")
            ]),
            Some(Duration::from_millis(20))
        );
        assert_eq!(
            read(&[("retry-after", "soon"), ("x-retry-in", "7")]),
            Some(Duration::from_millis(7))
        );
    }
}
