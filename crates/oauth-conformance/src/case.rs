//! A case: the test of one row, for any target.

use std::fmt;

use futures_util::future::BoxFuture;
use oauth_core::{Capability, Error};

use crate::Context;

/// What a case needs of its target; without it the case is skipped, and the reason is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The provider can do this.
    Can(Capability),
    /// The provider has a grant of which a token can be asked without an earlier one: see
    /// [`Context::grant`].
    AnyGrant,
    /// The provider's refusals have the form of RFC 6749 §5.2.
    StandardErrors,
    /// `expires_in` means what RFC 6749 §5.1 says, without a default or a floor of the provider's.
    StandardExpiry,
    /// A missing `token_type` is refused (RFC 6749 §5.1): the provider has no default for it.
    StandardTokenType,
    /// Scopes are separated by blanks (RFC 6749 §3.3).
    StandardScope,
    /// Answers are JSON (RFC 6749 §5.1), and a form is none.
    JsonAnswers,
    /// Requests are forms (RFC 6749 §3.2), not JSON.
    FormRequests,
    /// A client may choose among client authentication methods (RFC 6749 §2.3).
    ClientAuthenticationMethods,
    /// A counterpart that can be started and controlled.
    Counterpart,
    /// An authorization server to be tested itself.
    Server,
    /// A client to be tested: every case that does not need a [`Server`](Self::Server) is about
    /// one.
    Client,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Can(capability) => write!(f, "the provider has no {}", capability.as_str()),
            Self::AnyGrant => {
                f.write_str("the provider has no grant for client credentials, code or device code")
            }
            Self::StandardErrors => f.write_str("the provider's errors have a form of their own"),
            Self::StandardExpiry => {
                f.write_str("the provider's expires_in has a meaning of its own")
            }
            Self::StandardTokenType => {
                f.write_str("the provider has a token_type of its own for answers without one")
            }
            Self::StandardScope => f.write_str("the provider separates scopes in a way of its own"),
            Self::JsonAnswers => f.write_str("the provider's answers may be forms"),
            Self::FormRequests => f.write_str("the provider's requests are not forms"),
            Self::ClientAuthenticationMethods => {
                f.write_str("the provider takes one client authentication method")
            }
            Self::Counterpart => f.write_str("the target has no counterpart to start"),
            Self::Server => {
                f.write_str("the target is a client's provider, not a server to be tested")
            }
            Self::Client => f.write_str("the target is a server, not a client's provider"),
        }
    }
}

/// Why a case failed: what was sent, what was expected, what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure; one line.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into().replace(['\r', '\n'], " "))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(format!("expected success, got {:?}: {error}", error.kind()))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("the suite's own connection failed: {error}"))
    }
}

/// The result of a case.
pub type Outcome = Result<(), Failure>;

/// The test of one row.
#[derive(Clone, Copy)]
pub struct Case {
    /// The row's id.
    pub id: &'static str,
    /// What it needs of the target.
    pub needs: &'static [Need],
    /// The test.
    pub run: fn(Context) -> BoxFuture<'static, Outcome>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.id)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// A table of cases: `"RSP-03" [needs…] => function,`. A function is `async fn(Context) -> Outcome`.
#[macro_export]
macro_rules! cases {
    ($($id:literal [$($need:expr),*] => $run:path,)*) => {
        &[$($crate::Case {
            id: $id,
            needs: &[$($need),*],
            run: |context| ::std::boxed::Box::pin($run(context)),
        }),*]
    };
}

/// Ends the case in a failure unless the condition holds. The text says what was sent, what was
/// expected and what came.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($text)+)));
        }
    };
}
