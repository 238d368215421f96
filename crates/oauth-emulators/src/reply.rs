//! The few shapes of answer that all façades share.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::Value;

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    text(status, "application/json", body.to_string())
}

pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

pub(crate) fn text(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    with_header(response, CONTENT_TYPE, content_type)
}

/// The browser is sent on; a location that is no header value is a bad request.
pub(crate) fn redirect(location: &str) -> Response<Bytes> {
    match HeaderValue::try_from(location) {
        Ok(_) => with_header(empty(StatusCode::FOUND), LOCATION, location),
        Err(_) => empty(StatusCode::BAD_REQUEST),
    }
}

/// RFC 6750 §3: 401 with the reason in the challenge, if there is one to tell.
pub(crate) fn bearer_challenge(body: Option<&Value>, error: Option<&str>) -> Response<Bytes> {
    let response = match body {
        Some(body) => json(StatusCode::UNAUTHORIZED, body),
        None => empty(StatusCode::UNAUTHORIZED),
    };
    let challenge = match error {
        Some(error) => format!("Bearer error=\"{error}\""),
        None => "Bearer".to_owned(),
    };
    with_header(response, WWW_AUTHENTICATE, &challenge)
}

/// A value that is no header value is left out.
pub(crate) fn with_header(
    mut response: Response<Bytes>,
    name: HeaderName,
    value: &str,
) -> Response<Bytes> {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
