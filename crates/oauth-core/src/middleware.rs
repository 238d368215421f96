//! API calls: attaches the token as the provider wants it, and when the API calls it dead, renews
//! it once and sends the request again.
//!
//! [`Authorize`] is the rule; it comes as a middleware of reqwest (feature `reqwest-middleware`)
//! and as a layer of tower (feature `tower`), and can be asked by hand.
//!
//! - The token goes to the origins that were named, and nowhere else.
//! - A caller's own `Authorization` header stays, unless [`Authorize::overwrite`] says otherwise.
//! - When no token can be had, nothing is sent.
//! - A dead token is renewed only when it is still the current one, once for all who come with it.
//!   When the API refuses the new one too, the token is not the reason, and the answer is handed on.
//! - A request is sent again only when its body can be.
//!
//! ```
//! # #[cfg(feature = "reqwest-middleware")]
//! # fn call(tokens: oauth_core::TokenManager) -> Result<(), Box<dyn std::error::Error>> {
//! use oauth_core::{middleware::Authorize, store::Subject};
//!
//! let token = tokens.source(&Subject::Client, None);
//! let api = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
//!     .with(Authorize::new(token, ["https://api.example.com"])?)
//!     .build();
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "reqwest-middleware")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;

use std::{
    fmt,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use url::Url;

use crate::{
    EndpointKind, EndpointUrl, Error, ErrorCode,
    manager::{ManagedToken, TokenHandle},
};
#[cfg(feature = "tower")]
pub use tower::{AuthorizeLayer, AuthorizeService};

/// Attaches a token to requests for the origins it is meant for.
#[derive(Clone)]
pub struct Authorize {
    token: TokenHandle,
    origins: Arc<[Url]>,
    overwrite: bool,
    /// The token that was refused right after it was issued; 0 for none.
    refused: Arc<AtomicU64>,
    hasher: RandomState,
}

impl Authorize {
    /// Attaches `token` to requests for `origins`: scheme, host and port of URLs, https or loopback.
    ///
    /// # Errors
    /// A usage error when an origin is not such a URL, or there is none.
    pub fn new<I>(token: TokenHandle, origins: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let origin = |text: I::Item| {
            let mut url = EndpointUrl::parse(text.as_ref())?.as_url().clone();
            url.set_path("");
            url.set_query(None);
            Ok(url)
        };
        let origins: Arc<[Url]> = origins
            .into_iter()
            .map(origin)
            .collect::<Result<_, Error>>()?;
        if origins.is_empty() {
            return Err(Error::usage(
                "no origin was named; a token goes only where it is meant to go",
            ));
        }
        Ok(Self {
            token,
            origins,
            overwrite: false,
            refused: Arc::default(),
            hasher: RandomState::default(),
        })
    }

    /// Sets whether an `Authorization` header that the caller has set is replaced.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Attaches the token to a request for `url`; `None` when it is not for this origin, or the
    /// caller has brought a header of their own.
    ///
    /// # Errors
    /// When no token can be had: the request must then not be sent.
    pub async fn attach(
        &self,
        url: &Url,
        headers: &mut HeaderMap,
    ) -> Result<Option<ManagedToken>, Error> {
        match self.is_for(url, headers) {
            true => self.token.authorize(headers).await.map(Some),
            false => Ok(None),
        }
    }

    /// Whether a request gets the token. As `Url::origin` compares, which allocates.
    fn is_for(&self, url: &Url, headers: &HeaderMap) -> bool {
        let own = headers.contains_key(AUTHORIZATION) && !self.overwrite;
        !own && self.origins.iter().any(|origin| {
            origin.scheme() == url.scheme()
                && origin.host() == url.host()
                && origin.port_or_known_default() == url.port_or_known_default()
        })
    }

    /// Attaches another token than `rejected`, if `answer` calls it dead; whether it did, so that
    /// the request is worth sending again, once.
    ///
    /// # Errors
    /// When the token is dead and there is no other.
    pub async fn renew(
        &self,
        rejected: &ManagedToken,
        answer: &http::Response<Bytes>,
        headers: &mut HeaderMap,
    ) -> Result<Option<ManagedToken>, Error> {
        if !self.is_dead(answer) || self.refused.load(Relaxed) == self.mark(rejected) {
            return Ok(None);
        }
        self.token.renew(&rejected.access_token()).await?;
        self.token.authorize(headers).await.map(Some)
    }

    /// Says what came of the second try: a new token that is refused as well is not renewed again.
    pub fn tried_again(&self, token: &ManagedToken, answer: &http::Response<Bytes>) {
        if self.is_dead(answer) {
            self.refused.store(self.mark(token), Relaxed);
        }
    }

    /// 401, and either the provider reads `invalid_token` in it (RFC 6750 §3.1) or it says nothing.
    fn is_dead(&self, answer: &http::Response<Bytes>) -> bool {
        if answer.status() != StatusCode::UNAUTHORIZED {
            return false;
        }
        let provider = self.token.client().provider();
        let said = provider.error_response(EndpointKind::Resource, answer);
        said.is_none_or(|error| *error.code() == ErrorCode::InvalidToken)
    }

    fn mark(&self, token: &ManagedToken) -> u64 {
        self.hasher.hash_one(token.expose_secret()).max(1)
    }
}

impl fmt::Debug for Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorize")
            .field("token", &self.token)
            .field("origins", &self.origins)
            .field("overwrite", &self.overwrite)
            .finish_non_exhaustive()
    }
}

/// The longest refusal that is read, in bytes.
#[cfg(feature = "reqwest-middleware")]
const LONGEST_REFUSAL: usize = 64 * 1024;
