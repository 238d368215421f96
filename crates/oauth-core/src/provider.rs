//! An authorization server with its bends. Every hook has an RFC-true default, so a well-behaved
//! server needs only a name and its endpoints; a bend is one overridden method.
//!
//! ```
//! use oauth_core::{Capabilities, Capability, ClientAuthMethod, Endpoints, Provider};
//!
//! #[derive(Debug)]
//! struct Example(Endpoints);
//!
//! impl Provider for Example {
//!     fn name(&self) -> &str {
//!         "example"
//!     }
//!     fn endpoints(&self) -> &Endpoints {
//!         &self.0
//!     }
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::of([Capability::ClientCredentials])
//!     }
//!     fn client_authentication(&self) -> ClientAuthMethod {
//!         ClientAuthMethod::Post
//!     }
//! }
//!
//! let provider = Example(Endpoints::new("https://id.example.com/token")?);
//! assert_eq!(provider.endpoints().token().as_str(), "https://id.example.com/token");
//! # Ok::<(), oauth_core::Error>(())
//! ```

mod capabilities;
mod endpoints;
mod generic;
mod request;

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    AccessToken, ClientAuthMethod, Error, OAuthError, RetryPolicy, TokenSet,
    response::{self, TokenContext, TokenReader},
};
pub use capabilities::{Capabilities, Capability};
pub use endpoints::{EndpointKind, EndpointUrl, Endpoints};
pub use generic::GenericProvider;
pub use request::EndpointRequest;

/// An authorization server with its bends.
pub trait Provider: Debug + Send + Sync + 'static {
    /// The provider's name, for errors and logs.
    fn name(&self) -> &str;

    /// Where its endpoints are.
    fn endpoints(&self) -> &Endpoints;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// How confidential clients authenticate: HTTP Basic, form-encoded first (RFC 6749 §2.3.1).
    fn client_authentication(&self) -> ClientAuthMethod {
        ClientAuthMethod::Basic
    }

    /// The request to an endpoint: a form (RFC 6749 §3.2), with client authentication applied.
    ///
    /// # Errors
    /// A usage error when the request cannot be built from what was given.
    fn request(&self, request: EndpointRequest<'_>) -> Result<http::Request<Bytes>, Error> {
        request.into_form()
    }

    /// The tokens in a 2xx answer of the token endpoint (RFC 6749 §5.1), read tolerantly.
    ///
    /// # Errors
    /// A protocol error when there is no token in it; an OAuth error when it carries `error`.
    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, Error> {
        TokenReader::new(context).read(response)
    }

    /// The refusal in an answer that is not a success (RFC 6749 §5.2, RFC 6750 §3); `None` when
    /// it says nothing in words.
    fn error_response(
        &self,
        endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        let _ = endpoint;
        OAuthError::from_response(response)
            .or_else(|| OAuthError::from_challenge(response.headers()))
    }

    /// Puts a token into the headers of an API call (RFC 6750 §2.1).
    ///
    /// # Errors
    /// A usage error when the token cannot go into a header.
    fn authorize_request(&self, token: &AccessToken, headers: &mut HeaderMap) -> Result<(), Error> {
        headers.insert(http::header::AUTHORIZATION, token.authorization("Bearer")?);
        Ok(())
    }

    /// Whether a refresh that failed with `error` says that the refresh token is dead, so that it
    /// is dropped and not sent again: `invalid_grant` (RFC 6749 §5.2), or what the provider maps
    /// to it. For a server that says it in another way. A failure that is over by itself must
    /// never count.
    fn ends_refresh_token(&self, error: &Error) -> bool {
        error.needs_reauthorization()
    }

    /// How long an answer asks to wait: `Retry-After` (RFC 9110 §10.2.3).
    fn retry_after(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        response::retry_after(headers, now)
    }

    /// Which failures are worth another try, and how long to wait before it.
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::default()
    }
}
