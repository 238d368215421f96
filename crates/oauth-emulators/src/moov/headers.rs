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

/// Every version that Moov documents or its SDKs send. Without one the server takes v2024.01.00;
/// what it says to any other is not known.
const VERSIONS: [&str; 13] = [
    "dev",
    "v0001.00.00",
    "v2024.00.00",
    "v2024.01.00",
    "v2025.01.00",
    "v2025.04.00",
    "v2025.07.00",
    "v2025.10.00",
    "v2026.01.00",
    "v2026.04.00",
    "v2026.07.00",
    "v2026.10.00",
    "v9000.00.00",
];

pub(super) fn check_version(request: &Request<Bytes>) -> Result<(), Refusal> {
    let refused = Err(Refusal::Generic(
        "X-Moov-Version is not a valid API version",
    ));
    match request.headers().get("x-moov-version") {
        None => Ok(()),
        Some(version) if VERSIONS.iter().any(|known| version == known) => Ok(()),
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
    fn versions_are_those_that_are_known() {
        let checked = |version: &str| {
            let request = Request::builder().header("x-moov-version", version);
            check_version(&request.body(Bytes::new()).unwrap()).is_ok()
        };
        for good in [
            "v2024.01.00",
            "v2026.07.00",
            "dev",
            "v2024.00.00",
            "v9000.00.00",
            "v0001.00.00",
        ] {
            assert!(checked(good), "{good}");
        }
        for bad in [
            "latest",
            "2024.01.00",
            "v2024.02.00",
            "v2024.1.0",
            "v2024.01",
            "v2024.01.00.1",
        ] {
            assert!(!checked(bad), "{bad}");
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
