//! Moov's errors: a text, a message for each field, or nothing but a status.

use bytes::Bytes;
use http::{Response, StatusCode};
use oauth_server::{ContextError, ErrorCode, OAuthError};
use serde_json::{Map, Value, json};

use crate::reply;

pub(super) enum Refusal {
    /// 400 with `error`, which may be prose.
    Generic(&'static str),
    /// 422: names of fields and what is wrong with them.
    Fields(Vec<(&'static str, &'static str)>),
    /// A status without a body.
    Empty(StatusCode),
}

impl Refusal {
    pub(super) const UNAUTHENTICATED: Self = Self::Empty(StatusCode::UNAUTHORIZED);
    pub(super) const FORBIDDEN: Self = Self::Empty(StatusCode::FORBIDDEN);

    pub(super) fn field(name: &'static str, message: &'static str) -> Self {
        Self::Fields(vec![(name, message)])
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        match self {
            Self::Generic(error) => reply::json(StatusCode::BAD_REQUEST, &json!({"error": error})),
            Self::Fields(fields) => {
                let fields = fields.into_iter();
                let body = fields
                    .map(|(name, message)| (name.to_owned(), message.into()))
                    .collect::<Map<_, _>>();
                reply::json(StatusCode::UNPROCESSABLE_ENTITY, &Value::Object(body))
            }
            Self::Empty(status) => reply::empty(status),
        }
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        match error.code() {
            ErrorCode::InvalidClient => Self::UNAUTHENTICATED,
            ErrorCode::InvalidScope => Self::field("scope", "is not a known scope"),
            ErrorCode::InvalidGrant => Self::field("refresh_token", "is not valid or has expired"),
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => {
                Self::Empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
            _ => Self::Generic(error.error()),
        }
    }
}

impl From<ContextError> for Refusal {
    fn from(_: ContextError) -> Self {
        Self::Empty(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
