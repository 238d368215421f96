//! The headers that each page is served with.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_FRAME_OPTIONS},
};
use url::Url;

use crate::{OAuthError, error::no_store};

/// An HTML document with what protects it.
pub(super) fn document(status: StatusCode, html: String, policy: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(no_store());
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, html);
    // A policy that is no header would leave the page without one.
    let policy = HeaderValue::from_str(policy);
    let strict = || HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or_else(|_| strict()));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// 303, so that what was posted is not posted again (RFC 9700 §4.12).
pub(super) fn see_other(location: &str) -> Result<Response<Bytes>, OAuthError> {
    let location = HeaderValue::from_str(location).map_err(|_| OAuthError::internal())?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.extend(no_store());
    headers.insert(LOCATION, location);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// Where a form may lead: browsers hold redirects after it to this, too.
pub(super) fn form_action(redirect_uri: Option<&str>) -> String {
    let source = redirect_uri.and_then(|uri| Url::parse(uri).ok());
    let source = source.map(|url| {
        let host = url.host_str().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        match url.scheme() {
            "http" | "https" if host.bytes().all(plain) => url.origin().ascii_serialization(),
            // CSP has no notation for other hosts.
            scheme => format!("{scheme}:"),
        }
    });
    match source {
        Some(source) => format!("'self' {source}"),
        None => "'self'".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_lead_home_and_to_the_client() {
        for (uri, source) in [
            ("https://app.example/cb?x", "'self' https://app.example"),
            ("http://127.0.0.1:8080/cb", "'self' http://127.0.0.1:8080"),
            ("http://[::1]:8080/cb", "'self' http:"),
            ("com.example.app:/cb", "'self' com.example.app:"),
            ("https://a;script-src.example/", "'self' https:"),
        ] {
            assert_eq!(form_action(Some(uri)), source, "{uri}");
        }
        assert_eq!(form_action(None), "'self'");
    }
}
