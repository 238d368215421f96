//! The three ways in which Helix answers 401, of which one is worth a refresh.

use http::StatusCode;
use oauth_core::{Error, OAuthError};

use crate::provider::HELIX;

/// Why Helix answered 401. There is no `WWW-Authenticate` header to tell (RFC 6750 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unauthorized {
    /// `Invalid OAuth token`: the token is dead; a refresh may help.
    InvalidToken,
    /// `Client ID and OAuth token do not match`: no refresh will ever help.
    ClientIdMismatch,
    /// `OAuth token is missing`: the `Authorization` header does not start with `Bearer`.
    MissingToken,
    /// Another reason, in [`Error::oauth_error`].
    Other,
}

impl Unauthorized {
    /// The reason in an error of [`Client::helix`](crate::Client::helix); `None` when it is not a
    /// 401 of Helix.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        if error.endpoint() != Some(HELIX) || error.status() != Some(StatusCode::UNAUTHORIZED) {
            return None;
        }
        let message = error
            .oauth_error()
            .and_then(OAuthError::description)
            .unwrap_or_default();
        Some(match message.trim().to_ascii_lowercase().as_str() {
            "invalid oauth token" => Self::InvalidToken,
            "client id and oauth token do not match" => Self::ClientIdMismatch,
            "oauth token is missing" => Self::MissingToken,
            _ => Self::Other,
        })
    }
}
