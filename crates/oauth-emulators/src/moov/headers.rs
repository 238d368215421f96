//! The rules about Origin, Referer and the version.

use bytes::Bytes;
use http::Request;
use url::Url;

use super::Refusal;
use crate::params::header;

/// Origin counts before Referer. An Origin is scheme and domain alone, so one with a path or a
/// slash is not in the list; a Referer may have a path.
pub(super) fn check_origin(request: &Request<Bytes>, allowed: &[String]) -> Result<(), Refusal> {
    let origin = match header(request, "origin") {
        Some(origin) => Some(origin.to_owned()),
        None => header(request, "referer").and_then(origin_of),
    };
    match origin {
        Some(origin) if allowed.contains(&origin) => Ok(()),
        _ => Err(Refusal::FORBIDDEN),
    }
}

/// `vYYYY.QQ.BB`: QQ is the first month of a quarter. Without it the server takes v2024.01.00.
pub(super) fn check_version(request: &Request<Bytes>) -> Result<(), Refusal> {
    let refused = Err(Refusal::Generic(
        "X-Moov-Version is not a valid API version",
    ));
    match request.headers().get("x-moov-version") {
        None => Ok(()),
        Some(version) if version.to_str().is_ok_and(is_version) => Ok(()),
        Some(_) => refused,
    }
}

/// A version belongs into the header, never into the path.
pub(super) fn has_version(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    first
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_version(version: &str) -> bool {
    let Some(numbers) = version.strip_prefix('v') else {
        return false;
    };
    let parts: Vec<_> = numbers.split('.').collect();
    let [year, quarter, build] = parts[..] else {
        return false;
    };
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && matches!(quarter, "01" | "04" | "07" | "10") && digits(build, 2)
}

fn origin_of(referer: &str) -> Option<String> {
    Url::parse(referer)
        .ok()
        .map(|url| url.origin())
        .filter(url::Origin::is_tuple)
        .map(|origin| origin.ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_year_quarter_and_build() {
        for good in ["v2024.01.00", "v2026.10.12"] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "latest",
            "2024.01.00",
            "v2024.02.00",
            "v2024.1.0",
            "v2024.01",
            "v2024.01.00.1",
        ] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn a_path_with_a_version_is_known() {
        assert!(has_version("/v1/oauth2/token"));
        assert!(has_version("/v2024.01.00/oauth2/token"));
        assert!(!has_version("/oauth2/token"));
        assert!(!has_version("/validate"));
    }
}
