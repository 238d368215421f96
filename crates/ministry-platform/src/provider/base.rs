//! The base URL in the forms that people have it in.

use oauth_core::EndpointUrl;
use url::Url;

use crate::Error;

const API: &str = "/ministryplatformapi";
const RETIRED: &str = "/ministryplatform";

/// The base URL of the API, without a slash at its end.
pub(super) fn parse(text: &str) -> Result<Url, Error> {
    let text = text.trim();
    // A bare host, as the documentation of other clients asks for it.
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let mut url = EndpointUrl::parse(&with_scheme)?.as_url().clone();
    if url.query().is_some() {
        return Err(Error::usage(
            "the base URL has a query part; give the host, or https://{host}/ministryplatformapi",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let lower = path.to_ascii_lowercase();
    if path.is_empty() {
        url.set_path(API);
    } else if lower == API {
        url.set_path(&path);
    } else if lower == RETIRED || lower.starts_with("/ministryplatform/") {
        return Err(Error::usage(
            "the base URL is the retired /ministryplatform/oauth; give the host, or https://{host}/ministryplatformapi",
        ));
    } else {
        return Err(Error::usage(
            "the base URL has another path; give the host, or https://{host}/ministryplatformapi",
        ));
    }
    Ok(url)
}
