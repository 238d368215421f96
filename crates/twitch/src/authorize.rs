//! The authorization code flow's first half: the URL to send the user to.

use oauth_core::{AuthorizationRequest, Error, PendingAuthorization, Scopes};

use crate::{Claims, Client, Scope};

/// A request for the user's consent; [`build`](Self::build) gives the URL.
///
/// ```
/// use twitch::{Claim, Claims, Client, Scope, oauth_core::Scopes};
///
/// let client = Client::builder("client-id").client_secret("client-secret").build()?;
/// let (url, pending) = client
///     .authorization_url("http://localhost:3000")
///     .scopes(Scopes::new([Scope::OpenId, Scope::UserReadEmail])?)
///     .nonce("a value that the ID token must repeat")
///     .claims(&Claims::new().id_token(Claim::Email))
///     .force_verify(true)
///     .build()?;
/// assert!(url.as_str().contains("&force_verify=true"));
/// # Ok::<(), twitch::oauth_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct AuthorizationUrl<'a> {
    request: AuthorizationRequest<'a>,
    openid: OpenId,
}

impl Client {
    /// Begins an authorization that comes back to `redirect_uri`, which is sent byte for byte as
    /// it is given: Twitch compares it so, and a slash that was added at its end is a mismatch.
    ///
    /// Only for clients with a secret: Twitch has no PKCE. Others have the
    /// [device flow](Client::device_code).
    pub fn authorization_url(&self, redirect_uri: impl Into<String>) -> AuthorizationUrl<'_> {
        AuthorizationUrl {
            request: self.core().authorization_request(redirect_uri),
            openid: OpenId::default(),
        }
    }
}

impl AuthorizationUrl<'_> {
    /// Asks for these scopes. With [`Scope::OpenId`] an ID token comes with the tokens.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.openid.scope = scopes.contains(Scope::OpenId.as_str());
        self.request = self.request.scopes(scopes);
        self
    }

    /// Whether to ask a user again who has consented before; otherwise Twitch does not.
    pub fn force_verify(mut self, force_verify: bool) -> Self {
        if force_verify {
            self.request = self.request.param("force_verify", "true");
        }
        self
    }

    /// What the ID token must repeat (OpenID Connect Core §3.1.2.1): random, and bound to the
    /// browser's session.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.openid.parameters = true;
        self.request = self.request.param("nonce", nonce);
        self
    }

    /// Asks for these claims about the user.
    pub fn claims(mut self, claims: &Claims) -> Self {
        self.openid.parameters = true;
        self.request = self.request.param("claims", claims.to_json());
        self
    }

    /// The URL to send the user to, and what to keep in the user's session until the callback:
    /// [`Client::token_get_from_callback`] wants it.
    ///
    /// # Errors
    /// A usage error when the client has no secret, the redirect URI is not absolute or has a
    /// fragment, a parameter was given twice, or there is one of OpenID Connect without its scope.
    pub fn build(self) -> Result<(url::Url, PendingAuthorization), Error> {
        self.openid.check()?;
        self.request.build()
    }
}

/// Whether OpenID Connect's parameters and its scope come together.
#[derive(Debug, Default)]
pub(crate) struct OpenId {
    pub(crate) scope: bool,
    pub(crate) parameters: bool,
}

impl OpenId {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.parameters && !self.scope {
            return Err(Error::usage(
                "nonce and claims belong to OpenID Connect; ask for the scope openid too",
            ));
        }
        Ok(())
    }
}
