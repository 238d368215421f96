//! One error for the crate: what went wrong, in which step, and what a program can do about it.
//!
//! Nothing secret, no answer's body and no refused value is ever in an error's `Display`, `Debug`
//! or source chain.
//!
//! ```
//! use ministry_platform::{ErrorKind, TableName, oauth_core::Recovery};
//!
//! let error = TableName::new("../tables/dp_API_Clients").unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Usage);
//! assert_eq!(error.recovery(), Recovery::FixConfiguration);
//! ```

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use oauth_core::{ErrorCode, Recovery};

use crate::provider::QUERY;

/// How long Ministry Platform's OAuth server keeps what it read of an API client: two minutes.
pub(crate) const CLIENT_CACHE: Duration = Duration::from_secs(120);

const LOOKUP_REFUSED: &str =
    "the API Clients table could not be read; the user needs the right to it";

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
    /// An answer came that is not one: an HTML page, wrong types, a redirect.
    Protocol,
    /// The server refused the request; with a dead access token
    /// [`recovery`](Error::recovery) is [`Recovery::Renew`].
    Refused,
    /// The server refused user name, password, client id or client secret of the password grant.
    LoginRefused,
    /// The API Clients table could not be read with the user's token.
    LookupRefused,
    /// No row of the API Clients table has exactly this client id.
    ClientNotFound,
    /// Several rows of the API Clients table have this client id.
    ClientAmbiguous,
    /// The client's row has no secret, or none that this user may read.
    ClientSecretMissing,
    /// The client's row says that it is not enabled.
    ClientDisabled,
    /// The server refused the client with the secret of its row.
    ClientRefused,
    /// The server could not run the query: a column it does not know, a mistake in its syntax.
    Query,
    /// The token store could not do its part.
    Store,
    /// There was no token to invalidate.
    NotCached,
}

/// What went wrong. See the [module](self) for what is never in it.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<oauth_core::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Repr {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn protocol(message: &'static str) -> Self {
        Self::from(oauth_core::Error::protocol(message))
    }

    /// A core error of a step whose refusal is of kind `refused`.
    pub(crate) fn of(error: oauth_core::Error, refused: ErrorKind) -> Self {
        use oauth_core::ErrorKind as Core;

        let kind = match error.kind() {
            Core::Usage => ErrorKind::Usage,
            Core::Transport => ErrorKind::Transport,
            _ if error.code().is_some_and(|code| code.as_str() == QUERY) => ErrorKind::Query,
            Core::Server => ErrorKind::Server,
            Core::Store => ErrorKind::Store,
            Core::OAuth => refused,
            // A refusal without words is a refusal all the same.
            Core::Protocol
                if error
                    .status()
                    .is_some_and(|status| status.is_client_error()) =>
            {
                refused
            }
            _ => ErrorKind::Protocol,
        };
        let message = match kind {
            ErrorKind::Usage => "the request was not sent",
            ErrorKind::Transport => "Ministry Platform did not answer",
            ErrorKind::Server => "Ministry Platform failed",
            ErrorKind::Store => "the token store failed",
            ErrorKind::Query => "Ministry Platform could not run the query",
            ErrorKind::LoginRefused => "Ministry Platform refused to log the user in",
            ErrorKind::ClientRefused if error.code() == Some(&ErrorCode::InvalidClient) => {
                "Ministry Platform refused the client with the secret of its row; a secret that was changed there takes up to two minutes to work"
            }
            ErrorKind::ClientRefused => "Ministry Platform refused the client",
            ErrorKind::Protocol => "Ministry Platform's answer is not one",
            _ => "Ministry Platform refused the request",
        };
        Self(Arc::new(Repr {
            kind,
            message: message.into(),
            source: Some(error),
        }))
    }

    /// What a token manager says: an error of ours that came through it, or a login's.
    pub(crate) fn of_tokens(error: &oauth_core::Error) -> Self {
        let ours = error
            .source()
            .and_then(<dyn StdError>::downcast_ref::<Self>);
        ours.cloned()
            .unwrap_or_else(|| Self::of(error.clone(), ErrorKind::LoginRefused))
    }

    /// The same failure, seen as one of the look-up: whatever was refused, the look-up was.
    pub(crate) fn in_lookup(self) -> Self {
        if !matches!(self.0.kind, ErrorKind::Refused | ErrorKind::Query) {
            return self;
        }
        let source = Arc::into_inner(self.0).and_then(|repr| repr.source);
        Self(Arc::new(Repr {
            kind: ErrorKind::LookupRefused,
            message: LOOKUP_REFUSED.into(),
            source,
        }))
    }

    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The core's error under it: OAuth code, description, request id. `None` for what was found
    /// here.
    #[must_use]
    pub fn core(&self) -> Option<&oauth_core::Error> {
        self.0.source.as_ref()
    }

    /// The HTTP status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.core().and_then(oauth_core::Error::status)
    }

    /// What a program can do about it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        let core = self
            .core()
            .map_or(Recovery::GiveUp, oauth_core::Error::recovery);
        match self.0.kind {
            ErrorKind::Transport
            | ErrorKind::Server
            | ErrorKind::Protocol
            | ErrorKind::Refused
            | ErrorKind::Store => core,
            // The row's own secret was refused: the server has not read the row again yet.
            ErrorKind::ClientRefused if self.code() == Some(&ErrorCode::InvalidClient) => {
                Recovery::Retry {
                    after: Some(CLIENT_CACHE),
                }
            }
            ErrorKind::LoginRefused | ErrorKind::LookupRefused | ErrorKind::ClientRefused => {
                match core {
                    Recovery::Retry { .. } if !self.is_query() => core,
                    _ => Recovery::FixConfiguration,
                }
            }
            ErrorKind::NotCached => Recovery::GiveUp,
            _ => Recovery::FixConfiguration,
        }
    }

    /// Whether the same call may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.recovery(), Recovery::Retry { .. })
    }

    fn is_query(&self) -> bool {
        self.code().is_some_and(|code| code.as_str() == QUERY)
    }

    pub(crate) fn code(&self) -> Option<&ErrorCode> {
        self.core().and_then(oauth_core::Error::code)
    }
}

impl From<oauth_core::Error> for Error {
    fn from(error: oauth_core::Error) -> Self {
        Self::of(error, ErrorKind::Refused)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.core()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
