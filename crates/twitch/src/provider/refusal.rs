//! Refusals: `{"status":400,"message":"Invalid refresh token"}`, where the `message` says what
//! RFC 6749 §5.2 says in `error`, and an `error` is the reason phrase of the status.

use bytes::Bytes;
use http::StatusCode;
use oauth_core::{EndpointKind, ErrorCode, OAuthError, json_object};
use serde_json::Value;

use super::VALIDATE;

/// The code of a message that nobody has seen yet.
const UNKNOWN: &str = "provider_error";

pub(super) fn read(endpoint: EndpointKind, response: &http::Response<Bytes>) -> Option<OAuthError> {
    let fallback = by_status(endpoint, response.status());
    if response.body().is_empty() {
        return fallback.map(OAuthError::new);
    }
    let mut members = json_object(response).ok()?;
    let Some(Value::String(message)) = members.remove("message") else {
        // Not what Twitch sends; but an emulator or a proxy may speak as the RFC does.
        let error = OAuthError::from_members(members).filter(|error| error.code().is_registered());
        return error.or_else(|| fallback.map(OAuthError::new));
    };
    let code = by_message(endpoint, &message)
        .or(fallback)
        .unwrap_or_else(|| ErrorCode::new(UNKNOWN));
    Some(
        OAuthError::new(code)
            .with_description(&message)
            .with_extra(members),
    )
}

/// The letter case differs between reports of the same message.
fn by_message(endpoint: EndpointKind, message: &str) -> Option<ErrorCode> {
    let message = message.trim().to_ascii_lowercase();
    let code = match message.as_str() {
        // One message for a device code that is wrong, has ended, or was used.
        "invalid refresh token"
        | "invalid grant"
        | "invalid authorization code"
        | "invalid device code" => ErrorCode::InvalidGrant,
        "missing client secret"
        | "invalid client secret"
        | "invalid client"
        | "client does not exist"
        | "client id and oauth token do not match" => ErrorCode::InvalidClient,
        "parameter redirect_uri does not match registered uri"
        | "missing authorization token"
        | "oauth token is missing" => ErrorCode::InvalidRequest,
        "invalid scope requested" => ErrorCode::InvalidScope,
        "invalid access token" | "invalid oauth token" => ErrorCode::InvalidToken,
        "invalid token" if endpoint == EndpointKind::Revocation => ErrorCode::InvalidToken,
        missing if endpoint == EndpointKind::Token && missing.starts_with("missing ") => {
            ErrorCode::InvalidRequest
        }
        "authorization_declined" => ErrorCode::AccessDenied,
        other => return Some(ErrorCode::new(other)).filter(ErrorCode::is_registered),
    };
    Some(code)
}

/// What a status means where the words are unknown: Twitch documents a 401 at a refresh without
/// its body, and sends 403 for a bad secret only.
fn by_status(endpoint: EndpointKind, status: StatusCode) -> Option<ErrorCode> {
    match (endpoint, status) {
        (EndpointKind::Token, StatusCode::UNAUTHORIZED) => Some(ErrorCode::InvalidGrant),
        (EndpointKind::Token, StatusCode::FORBIDDEN) => Some(ErrorCode::InvalidClient),
        (EndpointKind::UserInfo | VALIDATE, StatusCode::UNAUTHORIZED) => {
            Some(ErrorCode::InvalidToken)
        }
        _ => None,
    }
}
