//! ASP.NET's way to refuse: `{"Message": "…"}`, under any status.

use bytes::Bytes;
use http::StatusCode;
use oauth_core::{EndpointKind, ErrorCode, OAuthError, json_object};
use serde_json::{Map, Value};

/// The code of a query that the server could not run. It is this crate's, no server's.
pub(crate) const QUERY: &str = "invalid_query";

/// The refusal in a `Message`.
pub(super) fn refusal(
    endpoint: EndpointKind,
    response: &http::Response<Bytes>,
) -> Option<OAuthError> {
    let (text, others) = read(response)?;
    let api = endpoint != EndpointKind::Token;
    let code = match response.status() {
        _ if api && is_dead(&text) => ErrorCode::InvalidToken,
        StatusCode::UNAUTHORIZED if api => ErrorCode::InvalidToken,
        StatusCode::FORBIDDEN if api => ErrorCode::InsufficientScope,
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_REQUEST if is_query(&text) => {
            ErrorCode::new(QUERY)
        }
        _ => ErrorCode::new("message"),
    };
    Some(
        OAuthError::new(code)
            .with_description(&text)
            .with_extra(others),
    )
}

/// Whether an answer, even one with status 200, says that the token is no good any more.
pub(crate) fn says_token_is_dead(response: &http::Response<Bytes>) -> bool {
    read(response).is_some_and(|(text, _)| is_dead(&text))
}

/// The message and the other members; the letter case of `Message` differs between versions.
fn read(response: &http::Response<Bytes>) -> Option<(String, Map<String, Value>)> {
    let body = response.body();
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start();
    // A table's rows are an array, perhaps a long one.
    if body.first() != Some(&b'{') {
        return None;
    }
    let mut members = json_object(response).ok()?;
    let name = members
        .keys()
        .find(|name| name.eq_ignore_ascii_case("message"))?
        .clone();
    match members.remove(&name) {
        Some(Value::String(text)) => Some((text, members)),
        _ => None,
    }
}

fn is_dead(text: &str) -> bool {
    has_one_of(text, &["token is expired", "signature validation failed"])
}

/// Whether a message of the database speaks of the query, not of the database.
fn is_query(text: &str) -> bool {
    has_one_of(
        text,
        &[
            "column",
            "syntax",
            "could not be bound",
            "conver",
            "invalid object name",
            "quotation mark",
        ],
    )
}

fn has_one_of(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    parts.iter().any(|part| text.contains(part))
}
