//! Ministry Platform as a provider: where it is, and how it bends RFC 6749.

mod base;
mod message;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use oauth_core::{
    AccessToken, Capabilities, Capability, ClientAuthMethod, EndpointKind, Endpoints, OAuthError,
    Provider, TokenContext, TokenReader, TokenSet,
};
use serde_json::{Map, Value};
use url::Url;

use crate::Error;
pub(crate) use message::{QUERY, says_token_is_dead};

/// The one scope of the API. It is an identifier that looks like a URL: it is never opened, and
/// what a token may do comes from the security roles of its user.
pub const SCOPE_ALL: &str = "http://www.thinkministry.com/dataplatform/scopes/all";

/// How long a token lives whose answer does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// No token is taken to live shorter, in seconds.
const SHORTEST_LIFETIME: u64 = 30;

/// A church's Ministry Platform.
///
/// | bend | what is done |
/// |---|---|
/// | `token_type` missing | Bearer |
/// | `expires_in` missing or no number | 3600 s; never less than 30 s |
/// | refusals as `{"Message": …}` | read beside `{"error": …}`: `invalid_token`, `insufficient_scope`, or the codes `invalid_query` and `message`, which are this crate's |
/// | PKCE advertised, in use nowhere | off, [`with_pkce`](Self::with_pkce) |
/// | the issuer of older servers is `Forms` | [`with_issuer`](Self::with_issuer) |
/// | Basic is read without form-encoding | [`with_client_authentication`](Self::with_client_authentication) with [`ClientAuthMethod::BasicRaw`] |
///
/// Introspection is advertised by the platform; no client is known to use it.
///
/// ```
/// use ministry_platform::{MinistryPlatform, oauth_core::Provider};
///
/// let church = MinistryPlatform::new("my.church.org")?;
/// assert_eq!(
///     church.endpoints().token().as_str(),
///     "https://my.church.org/ministryplatformapi/oauth/connect/token"
/// );
/// # Ok::<(), ministry_platform::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MinistryPlatform {
    base: Url,
    endpoints: Endpoints,
    pkce: bool,
    client_authentication: ClientAuthMethod,
}

impl MinistryPlatform {
    /// The platform at `base_url`: its host, or `https://{host}/ministryplatformapi`, with or
    /// without a slash at the end.
    ///
    /// # Errors
    /// A usage error when it is another address, such as the retired `/ministryplatform/oauth`, or
    /// plain http to a host that is not loopback.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        let base = base::parse(base_url)?;
        let oauth = format!("{base}/oauth");
        let at = |name: &str| format!("{oauth}/connect/{name}");
        let endpoints = Endpoints::new(&at("token"))?
            .with_authorization(&at("authorize"))?
            .with_userinfo(&at("userinfo"))?
            .with_revocation(&at("revocation"))?
            .with_introspection(&at("introspect"))?
            .with_issuer(oauth);
        Ok(Self {
            base,
            endpoints,
            pkce: false,
            client_authentication: ClientAuthMethod::Post,
        })
    }

    /// Sets the issuer that is expected, `{base}/oauth` otherwise. Older servers say `Forms`.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.endpoints = self.endpoints.with_issuer(issuer);
        self
    }

    /// Switches PKCE (RFC 7636) on for authorization requests.
    #[must_use]
    pub fn with_pkce(mut self, pkce: bool) -> Self {
        self.pkce = pkce;
        self
    }

    /// Sets how clients authenticate, in the body otherwise.
    #[must_use]
    pub fn with_client_authentication(mut self, method: ClientAuthMethod) -> Self {
        self.client_authentication = method;
        self
    }

    /// The base URL, `https://{host}/ministryplatformapi`.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base
    }
}

impl Provider for MinistryPlatform {
    fn name(&self) -> &str {
        "ministry-platform"
    }

    fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::of([
            Capability::ClientCredentials,
            Capability::Password,
            Capability::AuthorizationCode,
            Capability::RefreshToken,
            Capability::Revocation,
            Capability::Introspection,
            Capability::UserInfo,
            Capability::Discovery,
            Capability::ScopeAtToken,
        ]);
        if self.pkce {
            capabilities.with(Capability::Pkce)
        } else {
            capabilities
        }
    }

    fn client_authentication(&self) -> ClientAuthMethod {
        self.client_authentication
    }

    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, oauth_core::Error> {
        TokenReader::new(context)
            .default_token_type("bearer")
            .default_lifetime(DEFAULT_LIFETIME)
            .rewrite(usable_lifetime)
            .read(response)
    }

    fn error_response(
        &self,
        endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        OAuthError::from_response(response)
            .or_else(|| message::refusal(endpoint, response))
            .or_else(|| OAuthError::from_challenge(response.headers()))
    }

    fn authorize_request(
        &self,
        token: &AccessToken,
        headers: &mut HeaderMap,
    ) -> Result<(), oauth_core::Error> {
        // HTTP strips the blanks at the end of a header: the server would see a Bearer of nothing.
        if token.expose_secret().trim().is_empty() {
            return Err(oauth_core::Error::usage(
                "the access token is blank; get a token first",
            ));
        }
        headers.insert(http::header::AUTHORIZATION, token.authorization("Bearer")?);
        Ok(())
    }
}

/// Makes `expires_in` a lifetime to work with. A negative one stays, for the reader to refuse.
fn usable_lifetime(members: &mut Map<String, Value>) {
    let Some(value) = members.get_mut("expires_in") else {
        return;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match &*value {
        Value::Number(number) => number.as_f64(),
        // Digits alone parse as a number, whatever their count.
        Value::String(text) if digits(text.trim_matches(' ')) => {
            text.trim_matches(' ').parse().ok()
        }
        _ => None,
    };
    match seconds {
        None => *value = Value::Null,
        Some(seconds) if (0.0..30.0).contains(&seconds) => *value = SHORTEST_LIFETIME.into(),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests;
