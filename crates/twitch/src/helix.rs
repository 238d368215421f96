//! Calls of Twitch's API, Helix: the two headers that a token needs, the budget that an answer
//! names, the three ways to be refused, and the step that refreshes a token and asks again.

mod rate_limit;
mod send;
mod unauthorized;

use http::{HeaderMap, HeaderName, HeaderValue};
use oauth_core::{Error, RefreshToken, Token};

use crate::{AppToken, Client, UserToken};
pub use rate_limit::RateLimit;
pub use unauthorized::Unauthorized;

/// The header that names the application; Helix refuses a token whose client is another one.
pub const CLIENT_ID: HeaderName = HeaderName::from_static("client-id");

/// A token that Helix takes: a [`UserToken`] or an [`AppToken`].
pub trait HelixToken: Token + sealed::Renew + Clone {
    /// The client that the token was issued to.
    fn client_id(&self) -> &str;

    /// Puts the token into the headers of an API call: `Authorization: Bearer` and `Client-Id`,
    /// both from this one token, so that they cannot belong to two clients.
    ///
    /// # Errors
    /// A usage error when the client id cannot go into a header.
    fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let client_id = client_id(self.client_id())?;
        headers.insert(
            http::header::AUTHORIZATION,
            self.access_token().authorization("Bearer")?,
        );
        headers.insert(CLIENT_ID, client_id);
        Ok(())
    }
}

pub(crate) fn client_id(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::usage("the client id cannot go into a header"))
}

impl HelixToken for UserToken {
    fn client_id(&self) -> &str {
        self.client_id()
    }
}

impl HelixToken for AppToken {
    fn client_id(&self) -> &str {
        self.client_id()
    }
}

pub(crate) mod sealed {
    use std::future::Future;

    use super::{Client, Error, RefreshToken};

    /// How a token that Helix refused is replaced.
    pub trait Renew: Sized + Send + Sync {
        /// The next token; `None` when there is no way to get one without the user.
        fn renew(
            &self,
            client: &Client,
        ) -> impl Future<Output = Result<Option<Self>, Error>> + Send;

        /// This token with the refresh token that an unusable answer brought, if it can have one.
        fn keeping(&self, refresh_token: RefreshToken) -> Option<Self>;
    }
}

impl sealed::Renew for UserToken {
    async fn renew(&self, client: &Client) -> Result<Option<Self>, Error> {
        match self.refresh_token() {
            Some(_) => client.token_refresh(self).await.map(Some),
            None => Ok(None),
        }
    }

    fn keeping(&self, refresh_token: RefreshToken) -> Option<Self> {
        let tokens = self
            .token_set()
            .clone()
            .with_refresh_token(Some(refresh_token));
        Some(self.refreshed(tokens))
    }
}

impl sealed::Renew for AppToken {
    /// An app token has no refresh token: a new one is asked for.
    async fn renew(&self, client: &Client) -> Result<Option<Self>, Error> {
        client.app_token().await.map(Some)
    }

    fn keeping(&self, _: RefreshToken) -> Option<Self> {
        None
    }
}
