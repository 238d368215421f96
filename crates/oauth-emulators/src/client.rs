//! The clients an emulator knows.

use oauth_server::{BuildError, ClientBuilder, RefreshRotation, SecretCost};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
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
    scopes: Option<Vec<String>>,
    pub(crate) access_token_seconds: Option<u64>,
    refresh_token_seconds: Option<u64>,
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

    pub(crate) fn is_public(&self) -> bool {
        self.public.unwrap_or(self.client_secret.is_none())
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
        builder = match self.exposed_secret() {
            Some(secret) if !self.is_public() => builder.weak_secret(secret),
            _ => builder.public(),
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
        if let Some(rotation) = self.rotation() {
            builder = builder.refresh_rotation(rotation);
        }
        builder.build()
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
