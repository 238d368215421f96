//! The implicit flow (RFC 6749 §4.2), which Twitch offers to pages without a server. A token in
//! a URL leaks more easily than a code (RFC 9700 §2.1.2): prefer the others where they can be had.
//!
//! The answer is in the URL's fragment, which only the page itself sees; a refusal is in the query.

mod redirect;

use oauth_core::{
    Error, Scopes,
    secrecy::{ExposeSecret, SecretString},
};
use url::Url;

use crate::{Claims, Client, Scope, authorize::Extras};
pub use redirect::{ImplicitGrant, PendingImplicit};

/// What the fragment is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImplicitResponse {
    /// An access token.
    Token,
    /// An ID token.
    IdToken,
    /// Both.
    TokenAndIdToken,
}

/// A request of the implicit flow; [`build`](Self::build) gives the URL.
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct ImplicitUrl<'a> {
    client: &'a Client,
    response: ImplicitResponse,
    redirect_uri: String,
    scopes: Scopes,
    extras: Extras,
}

impl Client {
    /// Begins an implicit authorization that comes back to `redirect_uri`, sent byte for byte.
    pub fn implicit_url(
        &self,
        response: ImplicitResponse,
        redirect_uri: impl Into<String>,
    ) -> ImplicitUrl<'_> {
        ImplicitUrl {
            client: self,
            response,
            redirect_uri: redirect_uri.into(),
            scopes: Scopes::empty(),
            extras: Extras::default(),
        }
    }
}

impl ImplicitUrl<'_> {
    /// Asks for these scopes.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Whether to ask a user again who has consented before; otherwise Twitch does not.
    pub fn force_verify(mut self, force_verify: bool) -> Self {
        self.extras.force_verify = force_verify;
        self
    }

    /// What the ID token must repeat (OpenID Connect Core §3.2.2.1).
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.extras.nonce = Some(nonce.into());
        self
    }

    /// Asks for these claims about the user.
    pub fn claims(mut self, claims: Claims) -> Self {
        self.extras.claims = Some(claims);
        self
    }

    /// The URL to send the user to, and what to keep until the user comes back.
    ///
    /// # Errors
    /// A usage error when the redirect URI is not absolute or has a fragment, or there is an ID
    /// token or a parameter of OpenID Connect without the scope `openid`.
    pub fn build(self) -> Result<(Url, PendingImplicit), Error> {
        if !self.scopes.contains(Scope::OpenId.as_str()) {
            if self.response != ImplicitResponse::Token {
                return Err(Error::usage(
                    "an ID token belongs to OpenID Connect; ask for the scope openid too",
                ));
            }
            self.extras.check_without_openid()?;
        }
        let uri = &self.redirect_uri;
        // The parser drops or encodes these, and what is sent would be another URI than was meant.
        let plain = !uri.chars().any(|c| c.is_control() || c == ' ');
        if !plain || !Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none()) {
            return Err(Error::usage(
                "the redirect URI is not an absolute URI without a fragment",
            ));
        }
        let endpoints = oauth_core::Provider::endpoints(self.client.twitch());
        let endpoint = endpoints
            .authorization()
            .ok_or_else(|| Error::usage("there is no authorization endpoint"))?;
        let pending = PendingImplicit::from_state(random_state(self.client)?)?;
        let mut url = endpoint.as_url().clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", self.response.as_str());
        query.append_pair("client_id", self.client.client_id());
        query.append_pair("redirect_uri", &self.redirect_uri);
        query.append_pair("scope", &self.scopes.to_string());
        query.append_pair("state", pending.state().expose_secret());
        query.extend_pairs(self.extras.pairs());
        drop(query);
        Ok((url, pending))
    }
}

impl ImplicitResponse {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::IdToken => "id_token",
            Self::TokenAndIdToken => "token id_token",
        }
    }
}

/// 256 random bits in hexadecimal.
fn random_state(client: &Client) -> Result<SecretString, Error> {
    let mut bytes = [0_u8; 32];
    client.core().random().fill(&mut bytes)?;
    Ok(bytes
        .iter()
        .fold(String::with_capacity(64), |text, byte| {
            text + &format!("{byte:02x}")
        })
        .into())
}
