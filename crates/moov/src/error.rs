//! One error for the crate: the core's, sorted as Moov's documentation sorts them.

use std::{error::Error as StdError, fmt, time::Duration};

use http::StatusCode;
use oauth_core::{EndpointKind, Recovery};

/// What kind of failure it was, in the official SDKs' words where an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 400: Moov says in one text what is wrong, see [`Error::message`].
    GenericError,
    /// 422 of creating a token: Moov says it of each field, see [`Error::fields`].
    AuthTokenRequestError,
    /// 422 of revoking a token: Moov says it of each field, see [`Error::fields`].
    RevokeTokenRequestError,
    /// Any other 4XX or 5XX, often without a body.
    ApiError,
    /// The caller's own mistake, found before anything was sent.
    Usage,
    /// No whole answer came: connect, TLS, time limit, reset, cut body.
    Transport,
    /// The token store could not do its part.
    Store,
    /// An answer came that is not one: a 2XX without a token in it, a redirect, too large.
    Protocol,
}

/// What went wrong. No token, key or body is in its `Display` or `Debug`, nor is a field's
/// message, which may repeat what was sent.
///
/// ```
/// use moov::{Client, ErrorKind};
///
/// let error = Client::builder("public", "secret").origin("https://example.com/").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// ```
pub struct Error(oauth_core::Error);

impl Error {
    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        let fields = self.fields().next().is_some();
        match (self.0.kind(), self.status().map(|status| status.as_u16())) {
            (oauth_core::ErrorKind::OAuth, Some(400)) => ErrorKind::GenericError,
            (_, Some(422)) if fields && self.0.endpoint() == Some(EndpointKind::Token) => {
                ErrorKind::AuthTokenRequestError
            }
            (_, Some(422)) if fields => ErrorKind::RevokeTokenRequestError,
            (_, Some(400..=599)) => ErrorKind::ApiError,
            (oauth_core::ErrorKind::Usage, _) => ErrorKind::Usage,
            (oauth_core::ErrorKind::Transport, _) => ErrorKind::Transport,
            (oauth_core::ErrorKind::Store, _) => ErrorKind::Store,
            _ => ErrorKind::Protocol,
        }
    }

    /// The text of a [`ErrorKind::GenericError`], without control characters and cut. It can be a
    /// code of RFC 6749 §5.2 or prose: show it, don't match on it. Other statuses can have one too.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let fields = self.fields().next().is_some();
        self.0
            .oauth_error()
            .filter(|_| !fields)
            .map(|oauth| oauth.code().as_str())
    }

    /// Each refused field of a 422 and what Moov says of it. Nested fields are named by their path,
    /// `profile.business.taxID`. The messages may repeat what was sent: don't log them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let refused = self.status() == Some(StatusCode::UNPROCESSABLE_ENTITY);
        let extra = self
            .0
            .oauth_error()
            .filter(|_| refused)
            .map(oauth_core::OAuthError::extra);
        extra
            .into_iter()
            .flatten()
            .filter_map(|(name, message)| Some((name.as_str(), message.as_str()?)))
    }

    /// The message for one field of a 422, `scope` or `refresh_token` or their like.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields()
            .find(|(have, _)| *have == name)
            .map(|(_, message)| message)
    }

    /// The HTTP status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status()
    }

    /// The `x-request-id` of the answer: what Moov's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id()
    }

    /// How long Moov asked to wait, at most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }

    /// What a program can do about it. 401 means the key pair; 403 means that `Origin` or
    /// `Referer` is missing or not in the key pair's list of domains.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match (self.0.recovery(), self.status()) {
            (Recovery::GiveUp, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                Recovery::FixConfiguration
            }
            (recovery, _) => recovery,
        }
    }

    /// The error in the core's terms, with its OAuth code.
    #[must_use]
    pub fn core(&self) -> &oauth_core::Error {
        &self.0
    }
}

impl From<oauth_core::Error> for Error {
    fn from(error: oauth_core::Error) -> Self {
        Self(error)
    }
}

impl From<Error> for oauth_core::Error {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
