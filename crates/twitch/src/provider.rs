//! Twitch as a provider: where its endpoints are, and each way in which they bend RFC 6749.

mod refusal;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use oauth_core::{
    AccessToken, Capabilities, Capability, ClientAuthMethod, EndpointKind, EndpointRequest,
    EndpointUrl, Endpoints, Error, OAuthError, Provider, Token, TokenContext, TokenReader,
    TokenSet,
};

use crate::helix::{self, CLIENT_ID, RateLimit};

/// The endpoint that says whose a token is; no RFC has one like it.
pub(crate) const VALIDATE: EndpointKind = EndpointKind::Other("validate");
/// Twitch's API.
pub(crate) const HELIX: EndpointKind = EndpointKind::Other("helix");

/// How long a refresh token of a client without a secret lives.
const PUBLIC_REFRESH_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Twitch: `id.twitch.tv`, and Helix at `api.twitch.tv`.
///
/// The endpoints are fixed. Twitch's discovery document names neither the device nor the
/// revocation nor the validation endpoint, so a client driven by it could do half of the work.
///
/// ```
/// use twitch::{Twitch, oauth_core::Provider};
///
/// let twitch = Twitch::new();
/// assert_eq!(twitch.endpoints().token().as_str(), "https://id.twitch.tv/oauth2/token");
/// assert_eq!(twitch.jwks_uri(), "https://id.twitch.tv/oauth2/keys");
/// ```
#[derive(Debug, Clone)]
pub struct Twitch {
    endpoints: Endpoints,
    validate: EndpointUrl,
    helix: EndpointUrl,
    jwks_uri: String,
    client: Option<Client>,
}

/// The application that asks.
#[derive(Debug, Clone)]
struct Client {
    id: String,
    public: bool,
}

impl Twitch {
    /// The real Twitch.
    #[must_use]
    pub fn new() -> Self {
        Self::under("https://id.twitch.tv", "https://api.twitch.tv/helix/")
            .expect("constant URLs, parsed by every test of this crate")
    }

    /// A server on this machine that does as Twitch does: an emulator. Its paths are those of
    /// `id.twitch.tv`, with Helix under `/helix/`.
    ///
    /// # Errors
    /// A usage error when `base_url` is not plain http to loopback, or has a query.
    #[cfg(feature = "emulator")]
    pub fn at(base_url: &str) -> Result<Self, Error> {
        let base = EndpointUrl::parse(base_url)?;
        if base.as_url().scheme() != "http" || base.as_url().query().is_some() {
            return Err(Error::usage(
                "an emulator is at plain http on loopback, without a query",
            ));
        }
        let base = base.as_str().trim_end_matches('/');
        Self::under(base, &format!("{base}/helix/"))
    }

    fn under(id: &str, helix: &str) -> Result<Self, Error> {
        let endpoints = Endpoints::new(&format!("{id}/oauth2/token"))?
            .with_authorization(&format!("{id}/oauth2/authorize"))?
            .with_device_authorization(&format!("{id}/oauth2/device"))?
            .with_revocation(&format!("{id}/oauth2/revoke"))?
            .with_userinfo(&format!("{id}/oauth2/userinfo"))?
            .with_issuer(format!("{id}/oauth2"));
        Ok(Self {
            endpoints,
            validate: EndpointUrl::parse(&format!("{id}/oauth2/validate"))?,
            helix: EndpointUrl::parse(helix)?,
            jwks_uri: format!("{id}/oauth2/keys"),
            client: None,
        })
    }

    /// Twitch as the application `id` sees it.
    pub(crate) fn of_client(mut self, id: &str, public: bool) -> Self {
        let id = id.to_owned();
        self.client = Some(Client { id, public });
        self
    }

    /// The tokens with the end of a refresh token that Twitch does not name: that of a client
    /// without a secret ends after thirty days.
    pub(crate) fn dated(&self, tokens: TokenSet) -> TokenSet {
        let public = self.client.as_ref().is_some_and(|client| client.public);
        let named = tokens.refresh_expires_at().is_some();
        if !public || named || tokens.refresh_token().is_none() {
            return tokens;
        }
        let mut extra = tokens.extra().clone();
        let lifetime = PUBLIC_REFRESH_LIFETIME.as_secs();
        extra.insert("refresh_token_expires_in".to_owned(), lifetime.into());
        tokens.with_extra(extra)
    }

    /// Where a token is validated: `GET` with `Authorization: OAuth <token>`.
    #[must_use]
    pub fn validate_endpoint(&self) -> &EndpointUrl {
        &self.validate
    }

    /// Where Helix is; with a slash at its end.
    #[must_use]
    pub fn helix_endpoint(&self) -> &EndpointUrl {
        &self.helix
    }

    /// The keys that ID tokens are signed with (RS256), for the JWT library of your choice.
    #[must_use]
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }
}

impl Default for Twitch {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Twitch {
    fn name(&self) -> &str {
        "twitch"
    }

    fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// No PKCE: `code_challenge` is ignored, and a code needs the client's secret.
    fn capabilities(&self) -> Capabilities {
        Capabilities::of([
            Capability::ClientCredentials,
            Capability::AuthorizationCode,
            Capability::RefreshToken,
            Capability::DeviceCode,
            Capability::PublicClients,
            Capability::Revocation,
            Capability::UserInfo,
        ])
    }

    /// The only method that Twitch takes.
    fn client_authentication(&self) -> ClientAuthMethod {
        ClientAuthMethod::Post
    }

    fn request(&self, mut request: EndpointRequest<'_>) -> Result<http::Request<Bytes>, Error> {
        match request.endpoint() {
            EndpointKind::DeviceAuthorization => {
                // With `scope` the request succeeds, and the token has no scopes.
                request.params_mut().rename("scope", "scopes");
                request.set_client(request.client().public());
            }
            EndpointKind::Revocation => {
                request.params_mut().remove("token_type_hint");
                request.set_client(request.client().public());
            }
            EndpointKind::Token => match request.params().expose("grant_type") {
                Some("urn:ietf:params:oauth:grant-type:device_code") => {
                    let scopes = request
                        .scopes()
                        .filter(|scopes| !scopes.is_empty())
                        .map(ToString::to_string);
                    if let Some(scopes) = scopes {
                        request.params_mut().push("scopes", scopes);
                    }
                }
                // Twitch ignores it and grants the full set.
                Some("refresh_token") => request.params_mut().remove("scope"),
                _ => {}
            },
            _ => {}
        }
        request.into_form()
    }

    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, Error> {
        let tokens = TokenReader::new(context)
            .default_token_type("bearer")
            .read(response)?;
        // One that was not replaced goes on as it was.
        if tokens.refresh_token() == context.refresh_token.as_ref() {
            return Ok(tokens);
        }
        Ok(self.dated(tokens))
    }

    /// `Authorization: Bearer`, and the `Client-Id` of the application: Helix wants both.
    fn authorize_request(&self, token: &AccessToken, headers: &mut HeaderMap) -> Result<(), Error> {
        if let Some(client) = &self.client {
            headers.insert(CLIENT_ID, helix::client_id(&client.id)?);
        }
        headers.insert(http::header::AUTHORIZATION, token.authorization("Bearer")?);
        Ok(())
    }

    fn error_response(
        &self,
        endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        refusal::read(endpoint, response)
    }

    /// `Retry-After`, or the `Ratelimit-Reset` of a budget that is spent: a Unix time, not a wait.
    fn retry_after(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        oauth_core::retry_after(headers, now).or_else(|| {
            let limit = RateLimit::from_headers(headers)?;
            (limit.remaining() == Some(0)).then(|| limit.wait(now))
        })
    }
}

#[cfg(test)]
mod tests;
