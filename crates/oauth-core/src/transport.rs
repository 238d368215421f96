//! How requests get to the server: an object-safe trait on `http` types, and the reqwest one.
//!
//! Whoever implements it keeps these rules: no redirect is followed, the whole exchange ends
//! within [`Limits::total`], and reading stops at [`Limits::body`] bytes.

#[cfg(feature = "reqwest")]
mod reqwest;

use std::{error::Error as StdError, fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestTransport;

/// What one exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest body that is read, in bytes, after any decoding: 1 MiB.
    pub body: usize,
    /// From the first byte sent to the last one read: 30 s. A body that drips ends with it.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            total: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Sets the longest body, in bytes.
    #[must_use]
    pub fn with_body(mut self, bytes: usize) -> Self {
        self.body = bytes;
        self
    }

    /// Sets how long the whole exchange may take.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }
}

/// Sends a request and reads the whole answer.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// One exchange, whatever its status. Dropping the future ends it.
    ///
    /// # Errors
    /// When no whole answer within the limits came.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: refused, no such host, TLS. Nothing of the request was sent.
    Connect,
    /// The time limit passed. The server may have carried the request out.
    Timeout,
    /// The connection broke, or the answer was cut. The server may have carried the request out.
    Interrupted,
    /// The answer is larger than the limit.
    TooLarge,
    /// The answer is coded in a way that was not asked for.
    Coding,
    /// The request could not be built.
    Request,
}

impl TransportErrorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "no connection could be made",
            Self::Timeout => "the time limit passed",
            Self::Interrupted => "the connection broke or the answer was cut",
            Self::TooLarge => "the answer is larger than the limit",
            Self::Coding => "the answer has a content coding that was not asked for",
            Self::Request => "the request could not be built",
        }
    }
}

/// Why there is no answer, with the HTTP client's own error as its source. URLs are stripped.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TransportError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the HTTP client's error. It must not hold a URL with a query, a header or a body.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Whether nothing of the request can have reached the server.
    #[must_use]
    pub fn nothing_sent(&self) -> bool {
        matches!(
            self.kind,
            TransportErrorKind::Connect | TransportErrorKind::Request
        )
    }

    /// Whether the server answered, but not with what an answer is.
    pub(crate) fn is_protocol(&self) -> bool {
        matches!(
            self.kind,
            TransportErrorKind::TooLarge | TransportErrorKind::Coding
        )
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}
