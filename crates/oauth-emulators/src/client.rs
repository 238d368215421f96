//! The clients an emulator knows.

use oauth_server::{BuildError, ClientBuilder, Jwks, RefreshRotation, SecretCost};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::time::Duration;

/// A client of an emulator: an addition to the demo set-up, or a change to one of its clients.
///
/// What is not said stays as it is, or as the provider has it for a new client.
///
/// ```
/// let client = oauth_emulators::Client::new("mobile").public();
/// let other = oauth_emulators::Client::new("web")
///     .secret("web-secret")
///     .redirect_uri("https://example.com/callback");
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub(crate) client_id: String,
    #[serde(default, deserialize_with = "secret")]
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) public: Option<bool>,
    pub(crate) disabled: Option<bool>,
    one_time_refresh: Option<bool>,
    rotate: Option<bool>,
    redirect_uris: Option<Vec<String>>,
    #[serde(skip)]
    more_redirect_uris: Vec<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) access_token_seconds: Option<u64>,
    refresh_token_seconds: Option<u64>,
    name: Option<String>,
    refresh_token_idle_seconds: Option<u64>,
    refresh_grace_seconds: Option<u64>,
    require_pushed: Option<bool>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    assertion_secret: Option<SecretString>,
    assertion_algorithms: Option<Vec<String>>,
    jwt_access_tokens: Option<bool>,
    dpop_bound_access_tokens: Option<bool>,
    require_dpop_nonce: Option<bool>,
}

impl Client {
    /// A client without anything but its id; a new one is public until it has a secret.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            public: None,
            disabled: None,
            one_time_refresh: None,
            rotate: None,
            redirect_uris: None,
            more_redirect_uris: Vec::new(),
            scopes: None,
            access_token_seconds: None,
            refresh_token_seconds: None,
            name: None,
            refresh_token_idle_seconds: None,
            refresh_grace_seconds: None,
            require_pushed: None,
            jwks: None,
            jwks_uri: None,
            assertion_secret: None,
            assertion_algorithms: None,
            jwt_access_tokens: None,
            dpop_bound_access_tokens: None,
            require_dpop_nonce: None,
        }
    }

    /// Confidential, with this secret.
    #[must_use]
    pub fn secret(mut self, client_secret: &str) -> Self {
        self.public = Some(false);
        self.client_secret = Some(client_secret.into());
        self
    }

    /// Without a secret (RFC 6749 §2.1).
    #[must_use]
    pub fn public(mut self) -> Self {
        self.public = Some(true);
        self
    }

    /// Switched off: nothing is granted to it.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = Some(true);
        self
    }

    /// Whether each refresh token can be used once only, and brings its successor.
    #[must_use]
    pub fn one_time_refresh(mut self, one_time: bool) -> Self {
        self.one_time_refresh = Some(one_time);
        self
    }

    /// Whether refresh tokens rotate, so that the reuse of a spent one kills the whole grant
    /// (RFC 9700 §4.14.2).
    #[must_use]
    pub fn rotate(mut self, rotate: bool) -> Self {
        self.rotate = Some(rotate);
        self
    }

    /// One more redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.more_redirect_uris.push(redirect_uri.into());
        self
    }

    /// The only scopes it may have.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// The life of its access tokens, in seconds.
    #[must_use]
    pub fn access_token_seconds(mut self, seconds: u64) -> Self {
        self.access_token_seconds = Some(seconds);
        self
    }

    /// Confidential, with these public keys (a JWK set) for its assertions: `private_key_jwt`
    /// (RFC).
    #[must_use]
    pub fn jwks(mut self, jwks: Value) -> Self {
        self.public = Some(false);
        self.jwks = Some(jwks);
        self
    }

    /// Confidential, with this secret of at least 32 bytes for its assertions:
    /// `client_secret_jwt` (RFC).
    #[must_use]
    pub fn assertion_secret(mut self, assertion_secret: &str) -> Self {
        self.public = Some(false);
        self.assertion_secret = Some(assertion_secret.into());
        self
    }

    /// Whether its access tokens are signed JWTs, as RFC 9068 has them (RFC).
    #[must_use]
    pub fn jwt_access_tokens(mut self, jwt: bool) -> Self {
        self.jwt_access_tokens = Some(jwt);
        self
    }

    /// Whether it gets no tokens without a DPoP proof, as RFC 9449 §5.2 has it (RFC).
    #[must_use]
    pub fn dpop_bound_access_tokens(mut self, bound: bool) -> Self {
        self.dpop_bound_access_tokens = Some(bound);
        self
    }

    /// Whether its DPoP proofs need a nonce, as RFC 9449 §8 has it (RFC).
    #[must_use]
    pub fn require_dpop_nonce(mut self, require: bool) -> Self {
        self.require_dpop_nonce = Some(require);
        self
    }

    pub(crate) fn is_public(&self) -> bool {
        let keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let has_credentials =
            self.client_secret.is_some() || keys || self.assertion_secret.is_some();
        self.public.unwrap_or(!has_credentials)
    }

    pub(crate) fn exposed_secret(&self) -> Option<&str> {
        self.client_secret.as_ref().map(ExposeSecret::expose_secret)
    }

    pub(crate) fn redirect_uris(&self) -> &[String] {
        self.redirect_uris.as_deref().unwrap_or_default()
    }

    /// This client with the parts that `change` speaks of.
    pub(crate) fn changed(self, change: Self) -> Self {
        let mut redirect_uris = change
            .redirect_uris
            .or(self.redirect_uris)
            .unwrap_or_default();
        for more in change.more_redirect_uris {
            if !redirect_uris.contains(&more) {
                redirect_uris.push(more);
            }
        }
        Self {
            client_id: self.client_id,
            client_secret: change.client_secret.or(self.client_secret),
            public: change.public.or(self.public),
            disabled: change.disabled.or(self.disabled),
            one_time_refresh: change.one_time_refresh.or(self.one_time_refresh),
            rotate: change.rotate.or(self.rotate),
            redirect_uris: Some(redirect_uris),
            more_redirect_uris: Vec::new(),
            scopes: change.scopes.or(self.scopes),
            access_token_seconds: change.access_token_seconds.or(self.access_token_seconds),
            refresh_token_seconds: change.refresh_token_seconds.or(self.refresh_token_seconds),
            name: change.name.or(self.name),
            refresh_token_idle_seconds: change
                .refresh_token_idle_seconds
                .or(self.refresh_token_idle_seconds),
            refresh_grace_seconds: change.refresh_grace_seconds.or(self.refresh_grace_seconds),
            require_pushed: change.require_pushed.or(self.require_pushed),
            jwks: change.jwks.or(self.jwks),
            jwks_uri: change.jwks_uri.or(self.jwks_uri),
            assertion_secret: change.assertion_secret.or(self.assertion_secret),
            assertion_algorithms: change.assertion_algorithms.or(self.assertion_algorithms),
            jwt_access_tokens: change.jwt_access_tokens.or(self.jwt_access_tokens),
            dpop_bound_access_tokens: change
                .dpop_bound_access_tokens
                .or(self.dpop_bound_access_tokens),
            require_dpop_nonce: change.require_dpop_nonce.or(self.require_dpop_nonce),
        }
    }

    /// The same for oauth-server: `provider` sets what is usual there, then come this client's
    /// own wishes.
    pub(crate) fn register(
        &self,
        provider: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<oauth_server::Client, BuildError> {
        let mut builder = provider(oauth_server::Client::builder(&self.client_id))
            .secret_cost(SecretCost::LOW)
            .disabled(self.disabled.unwrap_or(false));
        builder = match self.is_public() {
            true => builder.public(),
            false => self.with_credentials(builder)?,
        };
        for redirect_uri in self.redirect_uris() {
            builder = builder.redirect_uri(redirect_uri);
        }
        if let Some(scopes) = &self.scopes {
            builder = builder.scopes(scopes.iter().map(String::as_str));
        }
        if let Some(seconds) = self.access_token_seconds {
            builder = builder.access_token_lifetime(Duration::from_secs(seconds));
        }
        if let Some(seconds) = self.refresh_token_seconds {
            builder = builder.refresh_token_lifetime(Duration::from_secs(seconds));
        }
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some(seconds) = self.refresh_token_idle_seconds {
            builder = builder.refresh_token_idle_lifetime(Duration::from_secs(seconds));
        }
        if let Some(seconds) = self.refresh_grace_seconds {
            builder = builder.refresh_grace(Duration::from_secs(seconds));
        }
        if let Some(require) = self.require_pushed {
            builder = builder.require_pushed_authorization_requests(require);
        }
        if let Some(jwt) = self.jwt_access_tokens {
            builder = builder.jwt_access_tokens(jwt);
        }
        if let Some(bound) = self.dpop_bound_access_tokens {
            builder = builder.dpop_bound_access_tokens(bound);
        }
        if let Some(require) = self.require_dpop_nonce {
            builder = builder.require_dpop_nonce(require);
        }
        if let Some(rotation) = self.rotation() {
            builder = builder.refresh_rotation(rotation);
        }
        builder.build()
    }

    fn with_credentials(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, BuildError> {
        if let Some(secret) = self.exposed_secret() {
            builder = builder.weak_secret(secret);
        }
        if let Some(jwks) = &self.jwks {
            builder = builder.jwks(Jwks::from_json(jwks)?);
        }
        if let Some(jwks_uri) = &self.jwks_uri {
            builder = builder.jwks_uri(jwks_uri);
        }
        if let Some(secret) = &self.assertion_secret {
            builder = builder.assertion_secret(secret.clone());
        }
        if let Some(names) = &self.assertion_algorithms {
            let algorithms = names.iter().map(|name| name.parse());
            builder = builder.assertion_algorithms(algorithms.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(builder)
    }

    /// How its refresh tokens rotate, if it was said.
    pub(crate) fn rotation(&self) -> Option<RefreshRotation> {
        match (self.rotate, self.one_time_refresh) {
            (_, Some(true)) => Some(RefreshRotation::OneTime),
            (Some(true), _) => Some(RefreshRotation::Rotate),
            (None, None) => None,
            _ => Some(RefreshRotation::Keep),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let secret = Option::<String>::deserialize(deserializer)?;
    Ok(secret.map(SecretString::from))
}
