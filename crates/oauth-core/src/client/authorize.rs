//! The authorization endpoint (RFC 6749 §3.1): the URL to send the user to, and what comes back.

mod callback;
mod pending;
mod push;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::Client;
use crate::{
    Capability, EndpointKind, Error, Params, Scopes, grant::check_resource, params::check_extra,
    random,
};
pub use pending::PendingAuthorization;

/// An authorization request (RFC 6749 §4.1.1); [`build`](Self::build) gives the URL.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), oauth_core::Error> {
/// use oauth_core::{Client, Endpoints, GenericProvider};
///
/// let endpoints = Endpoints::new("https://id.example.com/token")?
///     .with_authorization("https://id.example.com/authorize")?;
/// let client = Client::builder(GenericProvider::new(endpoints), "client-id").build()?;
/// let (url, pending) = client
///     .authorization_request("http://127.0.0.1:8080/callback")
///     .scopes("read".parse()?)
///     .build()?;
/// // Keep `pending` in the user's session, send the user to `url`; then, with the callback's query:
/// # let mut pending = pending;
/// let refused = pending.accept("code=abc&state=somebody-else's");
/// assert!(refused.is_err());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustls"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct AuthorizationRequest<'a> {
    client: &'a Client,
    redirect_uri: String,
    scopes: Option<Scopes>,
    pkce: bool,
    extra: Params,
}

impl Client {
    /// Begins an authorization request that comes back to `redirect_uri`, which is sent byte for
    /// byte as it is given (RFC 6749 §4.1.3 compares it).
    pub fn authorization_request(
        &self,
        redirect_uri: impl Into<String>,
    ) -> AuthorizationRequest<'_> {
        AuthorizationRequest {
            client: self,
            redirect_uri: redirect_uri.into(),
            scopes: None,
            pkce: self.provider().capabilities().contains(Capability::Pkce),
            extra: Params::new(),
        }
    }
}

impl AuthorizationRequest<'_> {
    /// Asks for these scopes.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Switches PKCE (RFC 7636) on or off; otherwise as the provider says.
    pub fn pkce(mut self, pkce: bool) -> Self {
        self.pkce = pkce;
        self
    }

    /// Adds a parameter of the server's own. It goes through the browser: nothing secret.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name: String = name.into();
        self.extra.push(name, value);
        self
    }

    /// The URL to send the user to, and what to keep until the user comes back.
    ///
    /// # Errors
    /// A usage error when the provider has no authorization endpoint, the redirect URI is not
    /// absolute or has a fragment, a parameter is taken or secret, a public client is to go
    /// without PKCE, or the server takes requests only when they were [pushed](Self::push).
    pub fn build(self) -> Result<(url::Url, PendingAuthorization), Error> {
        let endpoint = EndpointKind::Authorization;
        let client = self.client;
        let build = || {
            if client
                .provider()
                .endpoints()
                .pushed_authorization_required()
            {
                return Err(Error::usage(
                    "this server takes only pushed authorization requests; push this one (RFC 9126 section 5)",
                ));
            }
            let (params, pending) = self.parameters()?;
            Ok((client.authorization_url(&params)?, pending))
        };
        build().map_err(|error| error.at(endpoint))
    }

    /// Everything that the request says, and what to keep of it.
    fn parameters(self) -> Result<(Params, PendingAuthorization), Error> {
        let Self {
            client,
            redirect_uri,
            scopes,
            pkce,
            extra,
        } = self;
        let endpoints = client.provider().endpoints();
        check_redirect_uri(&redirect_uri)?;
        if client.is_public() && !pkce {
            return Err(Error::usage(
                "a public client cannot use a code without PKCE; this server has none, so give the client its secret or use the device flow",
            ));
        }
        let state = random::text(&*client.0.random)?;
        let code_verifier = if pkce {
            Some(random::text(&*client.0.random)?)
        } else {
            None
        };

        let mut params = Params::new();
        params.push("response_type", "code");
        params.push("client_id", client.client_id());
        params.push("redirect_uri", &redirect_uri);
        if let Some(scopes) = scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
            params.push("scope", scopes.to_string());
        }
        // `state` is no secret towards the browser that it protects.
        params.push("state", state.expose_secret());
        if let Some(verifier) = &code_verifier {
            params.push("code_challenge", challenge(verifier));
            params.push("code_challenge_method", "S256");
        }
        #[cfg(feature = "dpop")]
        if let Some(dpop) = &client.0.dpop {
            // Binds the code to the key, too (RFC 9449 §10).
            params.push("dpop_jkt", dpop.thumbprint());
        }
        let nonce = nonce(client, scopes.as_ref(), &extra)?;
        if let Some(nonce) = nonce.as_ref().filter(|_| !extra.contains("nonce")) {
            params.push("nonce", nonce);
        }
        for name in extra.names() {
            check_front_channel(name)?;
        }
        for resource in extra.values("resource") {
            check_resource(resource)?;
        }
        if let Some(secret) = client.0.authentication.secret()
            && extra.contains_value(secret.expose_secret())
        {
            return Err(Error::usage(
                "an extra authorization parameter is the client's secret; nothing secret goes through the browser",
            ));
        }
        params.append(&extra);
        let pending = PendingAuthorization::new(
            state,
            code_verifier,
            redirect_uri,
            scopes,
            endpoints.issuer().map(str::to_owned),
            endpoints.iss_in_callback(),
        )
        .with_nonce(nonce);
        Ok((params, pending))
    }
}

impl Client {
    /// The URL of the authorization endpoint with these parameters.
    fn authorization_url(&self, params: &Params) -> Result<url::Url, Error> {
        let endpoints = self.provider().endpoints();
        let authorization =
            self.endpoint(endpoints.authorization(), EndpointKind::Authorization)?;
        let mut url = authorization.as_url().clone();
        if url.query_pairs().any(|(name, _)| params.contains(&name)) {
            return Err(Error::usage(
                "the authorization endpoint's own query has a parameter that the request sets",
            ));
        }
        url.query_pairs_mut().extend_pairs(params.front_channel()?);
        Ok(url)
    }
}

/// What ties an id token to this request (OpenID Connect Core §3.1.2.1): the caller's own, or a new
/// one where id tokens are asked for and can be verified.
fn nonce(
    client: &Client,
    scopes: Option<&Scopes>,
    extra: &Params,
) -> Result<Option<String>, Error> {
    if let Some(own) = extra.expose("nonce") {
        return Ok(Some(own.to_owned()));
    }
    let wanted = scopes.is_some_and(|scopes| scopes.contains("openid"));
    if !cfg!(feature = "openid") || !wanted {
        return Ok(None);
    }
    let nonce = random::text(&*client.0.random)?;
    Ok(Some(nonce.expose_secret().to_owned()))
}

/// `BASE64URL(SHA256(ASCII(verifier)))`, RFC 7636 §4.2.
fn challenge(verifier: &SecretString) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(verifier.expose_secret().as_bytes()))
}

fn check_redirect_uri(redirect_uri: &str) -> Result<(), Error> {
    let plain = !redirect_uri.chars().any(|c| c.is_control() || c == ' ');
    match url::Url::parse(redirect_uri) {
        Ok(uri) if plain && uri.fragment().is_none() => Ok(()),
        _ => Err(Error::usage(
            "the redirect URI is not an absolute URI without a fragment (RFC 6749 section 3.1.2)",
        )),
    }
}

/// Names that would put a secret into a URL, beside those the protocol owns.
fn check_front_channel(name: &str) -> Result<(), Error> {
    check_extra(name)?;
    let name = name.to_ascii_lowercase();
    let secret = name.contains("secret") || name.contains("password");
    if secret || check_extra(&name).is_err() || matches!(name.as_str(), "access_token" | "id_token")
    {
        return Err(Error::usage(
            "an extra authorization parameter is named like a secret or a protocol parameter; nothing secret goes through the browser",
        ));
    }
    if matches!(
        name.as_str(),
        "state" | "response_type" | "code_challenge" | "code_challenge_method" | "dpop_jkt"
    ) {
        return Err(Error::usage(
            "an extra authorization parameter has the name of a protocol parameter",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
