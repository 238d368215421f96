//! Registers a client.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{AllowedScopes, Client, Settings, is_loopback, redirect};
use crate::{
    BuildError, ClientAuthenticationMethod, GeneratedSecret, GrantType, Jwks, RefreshRotation,
    Scope, SecretCost, SecretHash, SigningAlgorithm, TokenFormat, resource::is_resource,
};

/// Fewer bytes cannot hold 128 bits of anything but pure randomness.
const MIN_SECRET: usize = 16;

/// RFC 7518 §3.2: as long as the output of SHA-256.
const MIN_HMAC_SECRET: usize = 32;

/// The longest client id that is looked up.
pub(crate) const MAX_CLIENT_ID: usize = 256;

/// As many chosen secrets as replacing one takes: each costs a hash at every authentication.
const MAX_CHOSEN: usize = crate::secret::CHOSEN_SECRETS;

enum Secret {
    Chosen { secret: SecretString, weak: bool },
    Generated(GeneratedSecret),
    Hashed(SecretHash),
}

/// Describes a client; made by [`Client::builder`].
pub struct ClientBuilder {
    secrets: Vec<(Secret, Option<SystemTime>)>,
    cost: SecretCost,
    public: bool,
    scopes: Option<Vec<String>>,
    default_scopes: Vec<String>,
    settings: Settings,
}

impl ClientBuilder {
    pub(super) fn new(id: String) -> Self {
        Self {
            secrets: Vec::new(),
            cost: SecretCost::DEFAULT,
            public: false,
            scopes: Some(Vec::new()),
            default_scopes: Vec::new(),
            settings: Settings {
                id: id.into(),
                name: None,
                secrets: Vec::new(),
                method: None,
                jwks: None,
                jwks_uri: None,
                assertion_secret: None,
                assertion_algorithms: SigningAlgorithm::ALL.to_vec(),
                grants: Vec::new(),
                scopes: AllowedScopes::Any,
                default_scope: Scope::default(),
                redirect_uris: Vec::new(),
                native: false,
                require_pkce: true,
                resources: None,
                require_pushed: false,
                token_format: None,
                jwt_access_tokens: None,
                dpop_bound_access_tokens: false,
                require_dpop_nonce: false,
                access_token_lifetime: None,
                access_token_lifetimes: HashMap::new(),
                refresh_token_lifetime: None,
                refresh_token_idle_lifetime: None,
                refresh_grace: None,
                authorization_code_lifetime: None,
                refresh_rotation: RefreshRotation::default(),
                client_credentials_refresh_token: false,
                introspect_any: false,
                disabled: false,
            },
        }
    }

    /// What people are shown as its name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// Adds a secret that somebody chose, of 16 to 512 bytes. Two of them (one that has ended
    /// included) may stand side by side, so that one can be replaced.
    pub fn secret(self, secret: &str) -> Self {
        self.chosen(secret, false, None)
    }

    /// Adds a secret that ends at `until`: the old one while it is being replaced.
    pub fn secret_until(self, secret: &str, until: SystemTime) -> Self {
        self.chosen(secret, false, Some(until))
    }

    /// Adds a secret of any length, for tests and demonstrations.
    pub fn weak_secret(self, secret: &str) -> Self {
        self.chosen(secret, true, None)
    }

    /// Adds a generated secret.
    pub fn generated_secret(mut self, secret: &GeneratedSecret) -> Self {
        self.secrets.push((Secret::Generated(secret.clone()), None));
        self
    }

    /// Adds a secret that was hashed before and stored as text, until `until` if there is an end.
    ///
    /// ```
    /// use oauth_server::{Client, SecretCost, SecretHash};
    ///
    /// let stored = SecretHash::chosen("a long and secret phrase", SecretCost::LOW)?.to_string();
    /// let client = Client::builder("reports").secret_hash(stored.parse()?, None).build()?;
    /// assert!(!client.is_public());
    /// # Ok::<(), oauth_server::BuildError>(())
    /// ```
    pub fn secret_hash(mut self, hash: SecretHash, until: Option<SystemTime>) -> Self {
        self.secrets.push((Secret::Hashed(hash), until));
        self
    }

    /// What hashing the chosen secrets costs.
    pub fn secret_cost(mut self, cost: SecretCost) -> Self {
        self.cost = cost;
        self
    }

    /// Lets it authenticate with assertions signed by one of these keys of its own
    /// (`private_key_jwt`, RFC 7523 §2.2). When the client changes them, it is registered anew.
    pub fn jwks(mut self, jwks: Jwks) -> Self {
        self.settings.jwks = Some(jwks);
        self
    }

    /// As [`jwks`](Self::jwks), with the keys that it publishes at this `https` address (`http` on
    /// loopback only): fetched by the server's
    /// [`jwks_fetcher`](crate::AuthorizationServerBuilder::jwks_fetcher) when they are needed, kept
    /// for 10 minutes, and fetched again for an unknown key, at most once in 60 seconds. Of those
    /// that are for something else, the server takes no notice. Instead of `jwks`.
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.settings.jwks_uri = Some(uri.into());
        self
    }

    /// Lets it authenticate with assertions that carry an HS256 of this secret
    /// (`client_secret_jwt`). The server has to know the secret itself, so unlike all others it
    /// is not kept as a hash: a store of clients must encrypt it. Keys are better
    /// ([`jwks`](Self::jwks)). At least 32 bytes (RFC 7518 §3.2).
    pub fn assertion_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.settings.assertion_secret = Some(secret.into());
        self
    }

    /// The algorithms that it may sign assertions with; all by default. Assertions with a secret
    /// are always HS256.
    pub fn assertion_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
    ) -> Self {
        self.settings.assertion_algorithms = algorithms.into_iter().collect();
        self
    }

    /// Makes it a client without a secret (RFC 6749 §2.1), like an application on a phone.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// The only way it may authenticate. By default any that it has a secret or keys for.
    pub fn authentication_method(mut self, method: ClientAuthenticationMethod) -> Self {
        self.settings.method = Some(method);
        self
    }

    /// The grants it may use. With [`GrantType::RefreshToken`] among them, the tokens of people
    /// come with a refresh token.
    pub fn grants(mut self, grants: impl IntoIterator<Item = GrantType>) -> Self {
        self.settings.grants = grants.into_iter().collect();
        self
    }

    /// The scopes it may ask for.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Lets it ask for any scope, for servers that decide elsewhere.
    pub fn any_scope(mut self) -> Self {
        self.scopes = None;
        self
    }

    /// What it gets when it asks for no scope; empty by default.
    pub fn default_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.default_scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a redirect URI; requests must name it byte by byte. `http` is taken on loopback only
    /// (RFC 9700 §2.6).
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.settings.redirect_uris.push(uri.into());
        self
    }

    /// Makes it a native application: the port of its loopback redirect URIs may differ
    /// (RFC 8252 §7.3).
    pub fn native(mut self) -> Self {
        self.settings.native = true;
        self
    }

    /// Whether PKCE is required; true by default, and always for public clients.
    pub fn require_pkce(mut self, require: bool) -> Self {
        self.settings.require_pkce = require;
        self
    }

    /// The resources that its tokens can be limited to (RFC 8707); by default all that the server
    /// knows.
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = S>) -> Self {
        self.settings.resources = Some(resources.into_iter().map(Into::into).collect());
        self
    }

    /// Whether its access tokens are signed JWTs (RFC 9068), instead of the server's setting.
    pub fn jwt_access_tokens(mut self, jwt: bool) -> Self {
        self.settings.jwt_access_tokens = Some(jwt);
        self
    }

    /// Whether it gets no tokens without a DPoP proof (RFC 9449 §5.2); false by default. With a
    /// proof, any client's tokens are bound.
    pub fn dpop_bound_access_tokens(mut self, bound: bool) -> Self {
        self.settings.dpop_bound_access_tokens = bound;
        self
    }

    /// Whether its DPoP proofs need a nonce of the server (RFC 9449 §8), even if those of other
    /// clients do not; false by default.
    pub fn require_dpop_nonce(mut self, require: bool) -> Self {
        self.settings.require_dpop_nonce = require;
        self
    }

    /// Whether it must push its authorization requests (RFC 9126 §6); false by default.
    pub fn require_pushed_authorization_requests(mut self, require: bool) -> Self {
        self.settings.require_pushed = require;
        self
    }

    /// How its tokens look, instead of the server's format.
    pub fn token_format(mut self, format: Arc<dyn TokenFormat>) -> Self {
        self.settings.token_format = Some(format);
        self
    }

    /// How long its access tokens live, instead of the server's setting; at most a year.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.access_token_lifetime = Some(lifetime);
        self
    }

    /// How long its access tokens of one grant live; at most a year.
    pub fn access_token_lifetime_for(mut self, grant: GrantType, lifetime: Duration) -> Self {
        self.settings.access_token_lifetimes.insert(grant, lifetime);
        self
    }

    /// How long its refresh tokens live, rotations included, instead of the server's setting; at
    /// most 36 500 days, in whole seconds.
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.refresh_token_lifetime = Some(lifetime);
        self
    }

    /// How long a refresh token of it lives unless it is used, instead of the server's setting;
    /// at most 36 500 days, in whole seconds.
    pub fn refresh_token_idle_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.refresh_token_idle_lifetime = Some(lifetime);
        self
    }

    /// The grace window of its refresh tokens, instead of the server's setting; at most 60
    /// seconds. See
    /// [`AuthorizationServerBuilder::refresh_grace`](crate::AuthorizationServerBuilder::refresh_grace).
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.settings.refresh_grace = Some(grace);
        self
    }

    /// How long its authorization codes live, instead of the server's setting; at most 10
    /// minutes, in whole seconds.
    pub fn authorization_code_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.authorization_code_lifetime = Some(lifetime);
        self
    }

    /// What becomes of a refresh token that is used.
    pub fn refresh_rotation(mut self, rotation: RefreshRotation) -> Self {
        self.settings.refresh_rotation = rotation;
        self
    }

    /// Whether its client credentials tokens come with a refresh token, which RFC 6749 §4.4.3
    /// advises against; false by default.
    pub fn client_credentials_refresh_token(mut self, issue: bool) -> Self {
        self.settings.client_credentials_refresh_token = issue;
        self
    }

    /// Whether it may introspect access tokens of other clients, as a resource server does; false
    /// by default. Those that are limited to resources (RFC 8707) it is told about if one of them
    /// is among its [`resources`](Self::resources).
    pub fn introspect_any(mut self, any: bool) -> Self {
        self.settings.introspect_any = any;
        self
    }

    /// Shuts it out: it cannot authenticate, and its tokens are inactive.
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.settings.disabled = disabled;
        self
    }

    /// Hashes the secrets and makes the client.
    ///
    /// # Errors
    ///
    /// When a value breaks one of the rules named at the setters.
    pub fn build(self) -> Result<Client, BuildError> {
        let Self {
            secrets,
            cost,
            public,
            scopes,
            default_scopes,
            mut settings,
        } = self;
        let id = settings.id.as_bytes();
        let printable = id.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        if id.is_empty() || id.len() > MAX_CLIENT_ID || !printable {
            return Err(BuildError::ClientId);
        }
        if public == (settings.has_credentials() || !secrets.is_empty()) {
            return Err(BuildError::ClientKind);
        }
        if let Some(uri) = &settings.jwks_uri
            && (settings.jwks.is_some() || !is_jwks_uri(uri))
        {
            return Err(BuildError::Setting("the address of the client's keys"));
        }
        let assertion_secret = settings.assertion_secret.as_ref();
        if assertion_secret.is_some_and(|it| it.expose_secret().len() < MIN_HMAC_SECRET) {
            return Err(BuildError::Setting("the assertion secret"));
        }
        if !settings
            .resources
            .iter()
            .flatten()
            .all(|it| is_resource(it))
        {
            return Err(BuildError::Setting("a resource"));
        }
        if public && settings.refresh_rotation == RefreshRotation::Keep {
            return Err(BuildError::Setting(
                "the refresh rotation of a public client",
            ));
        }
        let uris = &settings.redirect_uris;
        if !uris.iter().all(|uri| redirect::may_be_registered(uri)) {
            return Err(BuildError::RedirectUri);
        }
        let lifetimes = settings.access_token_lifetimes.values().copied();
        for lifetime in lifetimes.chain(settings.access_token_lifetime) {
            check_access_token_lifetime(lifetime)?;
        }
        let idle = settings.refresh_token_idle_lifetime;
        for lifetime in settings.refresh_token_lifetime.into_iter().chain(idle) {
            check_refresh_token_lifetime(lifetime)?;
        }
        check_refresh_grace(settings.refresh_grace.unwrap_or_default())?;
        if let Some(lifetime) = settings.authorization_code_lifetime {
            check_authorization_code_lifetime(lifetime)?;
        }
        settings.scopes = match scopes {
            Some(scopes) => AllowedScopes::These(Scope::parse(&scopes.join(" "))?),
            None => AllowedScopes::Any,
        };
        settings.default_scope = Scope::parse(&default_scopes.join(" "))?;
        if let AllowedScopes::These(allowed) = &settings.scopes
            && !settings.default_scope.is_subset(allowed)
        {
            return Err(BuildError::Setting("the default scope"));
        }
        for (secret, until) in secrets {
            let hash = match secret {
                Secret::Hashed(hash) => hash,
                Secret::Generated(secret) => SecretHash::generated(&secret)?,
                Secret::Chosen { secret, weak } => {
                    let secret = secret.expose_secret();
                    if !weak && secret.len() < MIN_SECRET {
                        return Err(BuildError::Secret);
                    }
                    SecretHash::chosen(secret, cost)?
                }
            };
            settings.secrets.push((hash, until));
        }
        let chosen = |(hash, _): &&(SecretHash, _)| matches!(hash, SecretHash::Argon2id(_));
        if settings.secrets.iter().filter(chosen).count() > MAX_CHOSEN {
            return Err(BuildError::Setting("the number of chosen secrets"));
        }
        Ok(Client(Arc::new(settings)))
    }

    fn chosen(mut self, secret: &str, weak: bool, until: Option<SystemTime>) -> Self {
        let secret = secret.into();
        self.secrets.push((Secret::Chosen { secret, weak }, until));
        self
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("id", &self.settings.id)
            .finish_non_exhaustive()
    }
}

/// Whoever could change keys on their way would be the client.
fn is_jwks_uri(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| {
        let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let anonymous = url.username().is_empty() && url.password().is_none();
        safe && anonymous && url.fragment().is_none()
    })
}

/// Between a second and a year.
pub(crate) fn check_access_token_lifetime(lifetime: Duration) -> Result<(), BuildError> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    match lifetime.as_secs() {
        1..=YEAR if lifetime.subsec_nanos() == 0 => Ok(()),
        _ => Err(BuildError::Setting("the lifetime of access tokens")),
    }
}

/// At most a minute: whoever stole the token has it as well.
pub(crate) fn check_refresh_grace(grace: Duration) -> Result<(), BuildError> {
    match grace <= Duration::from_secs(60) {
        true => Ok(()),
        false => Err(BuildError::Setting("the grace window of refresh tokens")),
    }
}

/// Between a second and ten minutes (RFC 6749 §4.1.2).
pub(crate) fn check_authorization_code_lifetime(lifetime: Duration) -> Result<(), BuildError> {
    match lifetime.as_secs() {
        1..=600 if lifetime.subsec_nanos() == 0 => Ok(()),
        _ => Err(BuildError::Setting("the lifetime of authorization codes")),
    }
}

/// Between a second and a hundred years, which no clock overflows at.
pub(crate) fn check_refresh_token_lifetime(lifetime: Duration) -> Result<(), BuildError> {
    const CENTURY: u64 = 36_500 * 24 * 60 * 60;
    match lifetime.as_secs() {
        1..=CENTURY if lifetime.subsec_nanos() == 0 => Ok(()),
        _ => Err(BuildError::Setting("the lifetime of refresh tokens")),
    }
}
