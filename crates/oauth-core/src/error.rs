//! One error for the crate: what went wrong, where, and what a program can do about it.
//!
//! No token, secret, code, query string or body is ever in an error's `Display`, `Debug` or source
//! chain. Of an answer's text there is what the server says in `error` and `error_description`:
//! without control characters, cut to 256 characters, the secrets of the request masked.
//!
//! ```
//! use oauth_core::{Error, ErrorKind, Recovery};
//!
//! let error = Error::usage("no client id");
//! assert_eq!(error.kind(), ErrorKind::Usage);
//! assert_eq!(error.recovery(), Recovery::FixConfiguration);
//! ```

mod oauth;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use secrecy::SecretString;

use crate::{
    RefreshToken,
    provider::EndpointKind,
    store::{StoreError, StoreErrorKind},
    transport::TransportError,
};
use oauth::mask_text;
pub use oauth::{ErrorCode, OAuthError};
pub(crate) use oauth::{clean, clean_header};

/// What kind of failure it was; exactly one for each error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's own mistake, found before anything was sent.
    Usage,
    /// No whole answer came: connect, TLS, time limit, reset, cut body.
    Transport,
    /// The server could not, for now: 408, 425, 429 and 5xx.
    Server,
    /// An answer came that is not one: not JSON, wrong types, too large, a redirect.
    Protocol,
    /// The server said no in words (RFC 6749 §5.2, or what the provider maps to it).
    OAuth,
    /// The token store could not do its part.
    Store,
    /// A [`TokenSource`](crate::manager::TokenSource) could not do its part; the error's source
    /// says why.
    TokenSource,
}

/// What a program can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// Try again, not before `after` when the server named a time. Every token is kept.
    Retry {
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
    /// The access token is dead: refresh it, or ask for a new one with the grant that gave it.
    Renew,
    /// The grant is dead: the user must authorize again.
    Reauthorize,
    /// The client is set up wrongly: its id, secret, redirect URI, scopes or endpoints.
    FixConfiguration,
    /// Neither waiting nor asking again will help.
    GiveUp,
}

/// What went wrong. See the [module](self) for what is never in it. Cheap to clone: everybody who
/// waited for one request is told of its failure.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    reauthorize: bool,
    interrupted: bool,
    endpoint: Option<EndpointKind>,
    status: Option<StatusCode>,
    oauth: Option<OAuthError>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    refresh_token: Option<RefreshToken>,
    source: Option<Source>,
}

#[derive(Debug, Clone)]
enum Source {
    Transport(Arc<TransportError>),
    Store(StoreError),
    Given(Arc<dyn StdError + Send + Sync>, Recovery),
}

impl Error {
    /// The caller's mistake: `message` says what to change.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Usage, message.into())
    }

    /// Nothing was sent because there is nothing to send: the user must authorize first.
    #[must_use]
    pub fn reauthorization_needed(message: impl Into<Cow<'static, str>>) -> Self {
        let mut this = Self::usage(message);
        this.repr().reauthorize = true;
        this
    }

    /// An answer that is not one. `message` must not repeat any of it.
    #[must_use]
    pub fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Protocol, message.into())
    }

    /// The server's own word.
    #[must_use]
    pub fn oauth(error: OAuthError) -> Self {
        let mut this = Self::new(ErrorKind::OAuth, Cow::Borrowed("the server refused"));
        this.repr().oauth = Some(error);
        this
    }

    /// Whoever acted for a caller ended without a result.
    pub(crate) fn lost() -> Self {
        Self::new(
            ErrorKind::Server,
            Cow::Borrowed(
                "the task that renewed or removed the token panicked, or its runtime was shut down",
            ),
        )
    }

    pub(crate) fn server(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Server, message.into())
    }

    pub(crate) fn transport(error: TransportError) -> Self {
        let kind = if error.is_protocol() {
            ErrorKind::Protocol
        } else {
            ErrorKind::Transport
        };
        let mut this = Self::new(kind, Cow::Borrowed("no answer"));
        this.repr().source = Some(Source::Transport(Arc::new(error)));
        this
    }

    /// A failure of the token store.
    #[must_use]
    pub fn store(error: StoreError) -> Self {
        let mut this = Self::new(ErrorKind::Store, Cow::Borrowed("the token store failed"));
        this.repr().source = Some(Source::Store(error));
        this
    }

    /// A failure of a [`TokenSource`](crate::manager::TokenSource) that has errors of its own.
    /// `error` becomes the source of this one, to be found there again; `recovery` is what the
    /// manager goes by.
    ///
    /// ```
    /// use std::error::Error as _;
    /// use oauth_core::{Error, ErrorKind, Recovery};
    ///
    /// let missing = std::io::Error::other("no such client");
    /// let error = Error::token_source(missing, Recovery::FixConfiguration);
    /// assert_eq!(error.kind(), ErrorKind::TokenSource);
    /// assert!(error.source().is_some_and(|source| source.is::<std::io::Error>()));
    /// ```
    #[must_use]
    pub fn token_source(error: impl StdError + Send + Sync + 'static, recovery: Recovery) -> Self {
        let mut this = Self::new(
            ErrorKind::TokenSource,
            Cow::Borrowed("the source of tokens failed"),
        );
        this.repr().source = Some(Source::Given(Arc::new(error), recovery));
        this
    }

    /// Copied only when somebody else holds the same error.
    fn repr(&mut self) -> &mut Repr {
        Arc::make_mut(&mut self.0)
    }

    fn new(kind: ErrorKind, message: Cow<'static, str>) -> Self {
        Self(Arc::new(Repr {
            kind,
            message,
            reauthorize: false,
            interrupted: false,
            endpoint: None,
            status: None,
            oauth: None,
            retry_after: None,
            request_id: None,
            refresh_token: None,
            source: None,
        }))
    }

    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The endpoint that was called, if one was.
    #[must_use]
    pub fn endpoint(&self) -> Option<EndpointKind> {
        self.0.endpoint
    }

    /// The HTTP status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What the server said, if it said it in words. A 5xx can carry one too; it stays transient.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&OAuthError> {
        self.0.oauth.as_ref()
    }

    /// The OAuth error code, if the answer had one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.0.oauth.as_ref().map(OAuthError::code)
    }

    /// How long the server asked to wait, at most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The `x-request-id` of the answer: what the provider's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What happened on the wire, for [`ErrorKind::Transport`].
    #[must_use]
    pub fn transport_error(&self) -> Option<&TransportError> {
        match &self.0.source {
            Some(Source::Transport(error)) => Some(error),
            _ => None,
        }
    }

    /// What happened to the store, for [`ErrorKind::Store`].
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        match &self.0.source {
            Some(Source::Store(error)) => Some(error),
            _ => None,
        }
    }

    /// The refresh token of an answer that was no answer otherwise. The server has issued it and
    /// may have ended the one before it: store it in its place.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        self.0.refresh_token.as_ref()
    }

    /// Whether nothing can have reached the server, so that even a one-time input is unspent.
    #[must_use]
    pub fn nothing_sent(&self) -> bool {
        match self.transport_error() {
            Some(error) => error.nothing_sent(),
            None => self.0.kind == ErrorKind::Usage,
        }
    }

    /// Whether a refresh token was refused after a process had been stopped while it renewed: the
    /// server has most likely sent a successor that nobody could keep. The user must authorize
    /// again, and neither the user nor the server is to blame.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.interrupted
    }

    /// What a program can do about it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self.0.kind {
            ErrorKind::Usage if self.0.reauthorize => Recovery::Reauthorize,
            ErrorKind::Usage => Recovery::FixConfiguration,
            ErrorKind::Transport | ErrorKind::Server => Recovery::Retry {
                after: self.0.retry_after,
            },
            ErrorKind::Protocol => Recovery::GiveUp,
            ErrorKind::TokenSource => match &self.0.source {
                Some(Source::Given(_, recovery)) => *recovery,
                _ => Recovery::GiveUp,
            },
            ErrorKind::Store => match self.store_error().map(StoreError::kind) {
                Some(StoreErrorKind::Configuration) => Recovery::FixConfiguration,
                Some(StoreErrorKind::Unreadable) => Recovery::GiveUp,
                _ => Recovery::Retry { after: None },
            },
            // At the token endpoint the dead token is the one that was sent there.
            ErrorKind::OAuth
                if self.code() == Some(&ErrorCode::InvalidToken)
                    && self.0.endpoint == Some(EndpointKind::Token) =>
            {
                Recovery::Reauthorize
            }
            ErrorKind::OAuth => self
                .code()
                .map_or(Recovery::GiveUp, |code| code.recovery(self.0.retry_after)),
        }
    }

    /// Whether the same call may work later, with every token kept.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.recovery(), Recovery::Retry { .. })
    }

    /// Whether only a new authorization by the user helps.
    #[must_use]
    pub fn needs_reauthorization(&self) -> bool {
        self.recovery() == Recovery::Reauthorize
    }

    /// Names the endpoint that was called.
    #[must_use]
    pub fn at(mut self, endpoint: EndpointKind) -> Self {
        self.repr().endpoint = Some(endpoint);
        self
    }

    /// Adds the status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.repr().status = Some(status);
        self
    }

    /// Sets the code of a refusal, where the caller knows better than the server's words what was
    /// refused; any other error stays as it is.
    #[must_use]
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        let oauth = self.0.oauth.clone();
        self.repr().oauth = oauth.map(|oauth| oauth.with_code(code));
        self
    }

    pub(crate) fn with_interrupted(mut self, interrupted: bool) -> Self {
        self.repr().interrupted = interrupted;
        self
    }

    pub(crate) fn with_oauth(mut self, error: Option<OAuthError>) -> Self {
        self.repr().oauth = error;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.repr().retry_after = wait;
        self
    }

    pub(crate) fn with_refresh_token(mut self, token: Option<RefreshToken>) -> Self {
        self.repr().refresh_token = token;
        self
    }

    pub(crate) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.repr().request_id = id;
        self
    }

    /// Replaces every one of `secrets` in the server's words: some servers repeat what was sent.
    pub(crate) fn mask(mut self, secrets: &[&SecretString]) -> Self {
        let repr = self.repr();
        if let Some(oauth) = &mut repr.oauth {
            oauth.mask(secrets);
        }
        if let Cow::Owned(message) = &mut repr.message {
            // It can name a host or a media type, which are the server's words, too.
            mask_text(message, secrets);
        }
        if let Some(id) = &mut repr.request_id {
            mask_text(id, secrets);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(endpoint) = self.0.endpoint {
            write!(f, "{endpoint} endpoint: ")?;
        }
        match &self.0.oauth {
            Some(oauth) => write!(f, "{oauth}")?,
            None => f.write_str(&self.0.message)?,
        }
        if let Some(status) = self.0.status {
            write!(f, " (status {})", status.as_u16())?;
        }
        if self.0.interrupted {
            f.write_str("; a process was stopped while it renewed this token, and the answer it had is lost")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("interrupted", &self.0.interrupted)
            .field("endpoint", &self.0.endpoint)
            .field("status", &self.0.status)
            .field("oauth", &self.0.oauth)
            .field("retry_after", &self.0.retry_after)
            .field("request_id", &self.0.request_id)
            .field("refresh_token", &self.0.refresh_token)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.source.as_ref()? {
            Source::Transport(error) => Some(&**error),
            Source::Store(error) => Some(error),
            Source::Given(error, _) => Some(&**error),
        }
    }
}
