//! What can go wrong, and how it is told.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{InvalidScope, SigningAlgorithm};

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The error codes the server answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `invalid_request` (RFC 6749 §5.2)
    InvalidRequest,
    /// `invalid_client` (RFC 6749 §5.2)
    InvalidClient,
    /// `invalid_grant` (RFC 6749 §5.2)
    InvalidGrant,
    /// `unauthorized_client` (RFC 6749 §5.2)
    UnauthorizedClient,
    /// `unsupported_grant_type` (RFC 6749 §5.2)
    UnsupportedGrantType,
    /// `unsupported_response_type` (RFC 6749 §4.1.2.1)
    UnsupportedResponseType,
    /// `invalid_scope` (RFC 6749 §5.2)
    InvalidScope,
    /// `invalid_target` (RFC 8707 §2)
    InvalidTarget,
    /// `invalid_dpop_proof` (RFC 9449 §5)
    InvalidDpopProof,
    /// `use_dpop_nonce` (RFC 9449 §8)
    UseDpopNonce,
    /// `invalid_token` (RFC 6750 §3.1)
    InvalidToken,
    /// `insufficient_scope` (RFC 6750 §3.1)
    InsufficientScope,
    /// `invalid_request_uri` (RFC 9101 §6.1, RFC 9126 §4)
    InvalidRequestUri,
    /// `request_not_supported` (OpenID Connect Core §3.1.2.6)
    RequestNotSupported,
    /// `login_required` (OpenID Connect Core §3.1.2.6)
    LoginRequired,
    /// `consent_required` (OpenID Connect Core §3.1.2.6)
    ConsentRequired,
    /// `access_denied` (RFC 6749 §4.1.2.1, RFC 8628 §3.5)
    AccessDenied,
    /// `authorization_pending` (RFC 8628 §3.5)
    AuthorizationPending,
    /// `slow_down` (RFC 8628 §3.5)
    SlowDown,
    /// `expired_token` (RFC 8628 §3.5)
    ExpiredToken,
    /// `server_error` (RFC 6749 §4.1.2.1)
    ServerError,
    /// `temporarily_unavailable` (RFC 6749 §4.1.2.1)
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The code as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::RequestNotSupported => "request_not_supported",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// A refused request (RFC 6749 §5.2): what an application renders.
///
/// The description never holds anything of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    status: StatusCode,
    code: ErrorCode,
    description: Cow<'static, str>,
    challenge: Option<Challenge>,
    allow: Option<&'static str>,
    retry_after: Option<Duration>,
    close: bool,
    dpop_nonce: Option<String>,
}

/// What `WWW-Authenticate` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// Nothing was tried, so there is no error to tell (RFC 6750 §3.1).
    Token,
    Bearer,
    Dpop,
}

impl OAuthError {
    /// An error with the status that belongs to its code: 401 and a challenge for
    /// `invalid_client` and `invalid_token`, 403 for `insufficient_scope`, 500 for
    /// `server_error`, 503 for `temporarily_unavailable`, else 400.
    ///
    /// Characters of `description` that RFC 6749 §5.2 forbids are left out.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        let mut description = description.into();
        let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        if !description.chars().all(allowed) {
            description = Cow::Owned(description.chars().filter(|c| allowed(*c)).collect());
        }
        let status = match code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
            ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            code,
            description,
            challenge: match code {
                ErrorCode::InvalidClient => Some(Challenge::Basic),
                ErrorCode::InvalidToken | ErrorCode::InsufficientScope => Some(Challenge::Bearer),
                _ => None,
            },
            allow: None,
            retry_after: None,
            close: false,
            dpop_nonce: None,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code, to be matched on.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The code as it is sent.
    pub fn error(&self) -> &'static str {
        self.code.as_str()
    }

    /// A sentence for the client's developer.
    pub fn error_description(&self) -> &str {
        &self.description
    }

    /// How long to wait before the next attempt, in whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The headers that belong to the answer whatever its body looks like: `Cache-Control`,
    /// `Pragma`, and where they apply `WWW-Authenticate`, `Allow`, `Retry-After`, `Connection`,
    /// `DPoP-Nonce`.
    /// The services and the router add them to what an application renders.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = no_store();
        // None of its parts has a character that a header cannot hold.
        if let Some(challenge) = self.challenge
            && let Ok(challenge) = self.www_authenticate(challenge).parse()
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = &self.dpop_nonce
            && let Ok(nonce) = nonce.parse()
        {
            headers.insert(DPOP_NONCE, nonce);
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers
    }

    fn www_authenticate(&self, challenge: Challenge) -> String {
        let error = || {
            let (error, description) = (self.error(), self.error_description());
            format!("error=\"{error}\", error_description=\"{description}\"")
        };
        match challenge {
            Challenge::Basic => "Basic realm=\"oauth\", charset=\"UTF-8\"".to_owned(),
            Challenge::Token => "Bearer realm=\"oauth\"".to_owned(),
            Challenge::Bearer => format!("Bearer realm=\"oauth\", {}", error()),
            Challenge::Dpop => {
                let algorithms = SigningAlgorithm::ALL
                    .map(SigningAlgorithm::as_str)
                    .join(" ");
                format!("DPoP {}, algs=\"{algorithms}\"", error())
            }
        }
    }

    /// As a resource answers (RFC 6750 §3, RFC 9449 §7.1).
    pub(crate) fn at_resource(self, challenge: Challenge) -> Self {
        let unauthorized = matches!(
            self.code,
            ErrorCode::InvalidToken | ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce
        );
        Self {
            status: if unauthorized {
                StatusCode::UNAUTHORIZED
            } else {
                self.status
            },
            challenge: Some(challenge),
            ..self
        }
    }

    /// RFC 9449 §8: the client tries again with this nonce.
    pub(crate) fn use_dpop_nonce(nonce: String) -> Self {
        let description = "the DPoP proof needs the nonce of this answer";
        Self {
            dpop_nonce: Some(nonce),
            ..Self::new(ErrorCode::UseDpopNonce, description)
        }
    }

    pub(crate) fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub(crate) fn invalid_grant(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// A wrong secret in the body gets 400: no header was tried, so no challenge answers it.
    pub(crate) fn invalid_client(in_body: bool) -> Self {
        let error = Self::new(ErrorCode::InvalidClient, "client authentication failed");
        match in_body {
            true => Self {
                status: StatusCode::BAD_REQUEST,
                challenge: None,
                ..error
            },
            false => error,
        }
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            allow: Some(allow),
            ..Self::invalid_request("the method is not allowed here")
        }
    }

    /// The body was not read to its end, so the connection cannot be used again.
    pub(crate) fn unread_body(status: StatusCode, description: &'static str) -> Self {
        Self {
            status,
            close: true,
            ..Self::invalid_request(description)
        }
    }

    pub(crate) fn too_many_attempts(wait: Duration) -> Self {
        let wait = Duration::from_secs(wait.as_secs() + 1);
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(wait),
            ..Self::new(
                ErrorCode::TemporarilyUnavailable,
                "too many failed attempts",
            )
        }
    }

    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::ServerError, "the server failed")
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error(), self.description)
    }
}

impl Error for OAuthError {}

impl From<ContextError> for OAuthError {
    fn from(error: ContextError) -> Self {
        tracing::error!(%error, "a context failed");
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(
                ErrorCode::TemporarilyUnavailable,
                "the server cannot answer now",
            )
        }
    }
}

/// The headers of every answer that holds or could hold a credential (RFC 6749 §5.1).
pub(crate) fn no_store() -> HeaderMap {
    HeaderMap::from_iter(NO_STORE)
}

pub(crate) const NO_STORE: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
];

/// An authorization request that is not granted (RFC 6749 §4.1.2.1).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The client or its redirect URI is not known: to be shown to the person, never redirected.
    Page(OAuthError),
    /// To be told to the client by sending the browser to `location`.
    #[non_exhaustive]
    Redirect {
        /// The client's redirect URI with `error`, `state` and `iss`.
        location: String,
        /// What is told there.
        error: OAuthError,
    },
}

impl AuthorizeError {
    /// The error behind it.
    pub fn error(&self) -> &OAuthError {
        match self {
            Self::Page(error) | Self::Redirect { error, .. } => error,
        }
    }
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl Error for AuthorizeError {}

/// A context (a store, a source of randomness) could not answer. The request is answered with
/// 503 and `Retry-After`, never with a verdict about a credential.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ContextError {
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ContextError {
    /// An error that is logged as `message`; it must hold no token and no secret.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// A configuration that cannot work, or would not be safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is not an `https` URL (`http` is for loopback only) without query and fragment.
    #[error("the issuer is not an https URL without query and fragment")]
    Issuer,
    /// A setting with this name is out of its range.
    #[error("{0} is out of its range")]
    Setting(&'static str),
    /// A client id that is empty, longer than 256 bytes, or not of printable ASCII.
    #[error("the client id is not one")]
    ClientId,
    /// A client that is both public and has a secret or keys, or neither.
    #[error("a client is either public or has a secret or keys")]
    ClientKind,
    /// A secret or password that is empty, too short, or longer than 512 bytes.
    #[error("the secret has fewer than 16 or more than 512 bytes")]
    Secret,
    /// A text that is not a stored secret hash.
    #[error("the text is not a hash of a secret")]
    SecretHash,
    /// A text that is no key, or a set without one.
    #[error("a key is malformed, missing, or of an unknown kind")]
    Key,
    /// A redirect URI that is relative, has a fragment or a dangerous scheme, or is plain http
    /// beyond loopback.
    #[error("a redirect URI is not an absolute and safe URI without fragment")]
    RedirectUri,
    /// A scope outside the grammar of RFC 6749 §3.3.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// Hashing failed.
    #[error(transparent)]
    Context(#[from] ContextError),
}
