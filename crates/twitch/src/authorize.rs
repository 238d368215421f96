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
///     .claims(Claims::new().id_token(Claim::Email))
///     .force_verify(true)
///     .build()?;
/// assert!(url.as_str().contains("&force_verify=true"));
/// # Ok::<(), twitch::oauth_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct AuthorizationUrl<'a> {
    request: AuthorizationRequest<'a>,
    openid: bool,
    extras: Extras,
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
            openid: false,
            extras: Extras::default(),
        }
    }
}

impl AuthorizationUrl<'_> {
    /// Asks for these scopes. With [`Scope::OpenId`] an ID token comes with the tokens.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.openid = scopes.contains(Scope::OpenId.as_str());
        self.request = self.request.scopes(scopes);
        self
    }

    /// Whether to ask a user again who has consented before; otherwise Twitch does not.
    pub fn force_verify(mut self, force_verify: bool) -> Self {
        self.extras.force_verify = force_verify;
        self
    }

    /// What the ID token must repeat (OpenID Connect Core §3.1.2.1): random, and bound to the
    /// browser's session.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.extras.nonce = Some(nonce.into());
        self
    }

    /// Asks for these claims about the user.
    pub fn claims(mut self, claims: Claims) -> Self {
        self.extras.claims = Some(claims);
        self
    }

    /// The URL to send the user to, and what to keep in the user's session until the callback:
    /// [`Client::token_get_from_callback`] wants it.
    ///
    /// # Errors
    /// A usage error when the client has no secret, the redirect URI is not absolute or has a
    /// fragment, or there is a parameter of OpenID Connect without its scope.
    pub fn build(self) -> Result<(url::Url, PendingAuthorization), Error> {
        if !self.openid {
            self.extras.check_without_openid()?;
        }
        self.extras
            .pairs()
            .fold(self.request, |request, (name, value)| {
                request.param(name, value)
            })
            .build()
    }
}

/// The parameters that Twitch has beside those of RFC 6749, in every flow with a browser.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) force_verify: bool,
    pub(crate) nonce: Option<String>,
    pub(crate) claims: Option<Claims>,
}

impl Extras {
    pub(crate) fn check_without_openid(&self) -> Result<(), Error> {
        if self.nonce.is_some() || self.claims.is_some() {
            return Err(Error::usage(
                "nonce and claims belong to OpenID Connect; ask for the scope openid too",
            ));
        }
        Ok(())
    }

    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'static str, String)> {
        [
            self.force_verify
                .then(|| ("force_verify", "true".to_owned())),
            self.nonce.map(|nonce| ("nonce", nonce)),
            self.claims.map(|claims| ("claims", claims.to_json())),
        ]
        .into_iter()
        .flatten()
    }
}
