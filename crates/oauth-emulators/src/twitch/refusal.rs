//! Twitch's errors: `status` and `message`, at times with the status' name as `error`. They look
//! like RFC 6749 §5.2 and are not.

use bytes::Bytes;
use http::{Response, StatusCode};
use oauth_server::{ContextError, OAuthError};
use serde_json::json;

use crate::reply;

#[derive(Clone, Copy)]
pub(super) struct Refusal {
    status: StatusCode,
    message: &'static str,
    names_status: bool,
}

impl Refusal {
    /// As it was seen when their store had a bad day.
    pub(super) const SERVER_FAULT: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Missing column authorization_id from item map[]",
    );

    pub(super) const fn new(status: StatusCode, message: &'static str) -> Self {
        Self {
            status,
            message,
            names_status: false,
        }
    }

    pub(super) const fn bad(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// With the third member, `error`.
    pub(super) const fn naming_status(mut self) -> Self {
        self.names_status = true;
        self
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let mut body = json!({"status": self.status.as_u16(), "message": self.message});
        if self.names_status {
            body["error"] = self.status.canonical_reason().unwrap_or_default().into();
        }
        reply::json(self.status, &body)
    }
}

impl From<ContextError> for Refusal {
    fn from(_: ContextError) -> Self {
        Self::SERVER_FAULT
    }
}

impl From<OAuthError> for Refusal {
    fn from(_: OAuthError) -> Self {
        Self::SERVER_FAULT
    }
}
