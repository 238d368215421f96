//! A registered client, and what it may do.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{GrantType, Jwks, Scope, SecretHash, SigningAlgorithm, TokenFormat};

mod builder;
mod redirect;

pub use builder::ClientBuilder;
pub(crate) use builder::{
    MAX_CLIENT_ID, check_access_token_lifetime, check_authorization_code_lifetime,
    check_refresh_grace, check_refresh_token_lifetime,
};
pub(crate) use redirect::is_loopback;

/// How a client shows who it is (RFC 6749 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientAuthenticationMethod {
    /// In the `Authorization` header: `client_secret_basic`.
    Basic,
    /// In the body: `client_secret_post`.
    Post,
    /// With an assertion signed by a key of its own (RFC 7523 §2.2): `private_key_jwt`.
    PrivateKeyJwt,
    /// With an assertion that carries an HS256 of its secret: `client_secret_jwt`.
    ClientSecretJwt,
}

/// What becomes of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefreshRotation {
    /// A successor replaces it; its return revokes the whole grant (RFC 9700 §4.14.2).
    #[default]
    Rotate,
    /// A successor replaces it; its return is only refused.
    OneTime,
    /// It stays in use. Not for public clients.
    Keep,
}

/// A registered client. Cheap to clone.
///
/// Serialized it is what a store keeps. Its secrets are in it as hashes, but for that of
/// [`assertion_secret`](ClientBuilder::assertion_secret), which can be recovered: an HMAC needs it
/// as it is. A token format of its own is not in it. Read from a store it is taken as it is; only
/// [`ClientBuilder`] checks its values.
///
/// ```
/// use oauth_server::{Client, GrantType, SecretCost};
///
/// let client = Client::builder("reports")
///     .secret("a long and secret phrase")
///     .grants([GrantType::ClientCredentials])
///     .scopes(["read", "write"])
///     .default_scopes(["read"])
///     .build()?;
/// assert_eq!(client.id(), "reports");
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Client(Arc<Settings>);

/// `Scopes::Any` exists for servers whose scopes cannot be listed, like those with an id inside.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AllowedScopes {
    These(Scope),
    Any,
}

#[derive(Serialize, Deserialize)]
struct Settings {
    id: Arc<str>,
    name: Option<String>,
    secrets: Vec<(SecretHash, Option<SystemTime>)>,
    method: Option<ClientAuthenticationMethod>,
    jwks: Option<Jwks>,
    #[serde(default)]
    jwks_uri: Option<String>,
    #[serde(serialize_with = "exposed", deserialize_with = "secret", default)]
    assertion_secret: Option<SecretString>,
    assertion_algorithms: Vec<SigningAlgorithm>,
    grants: Vec<GrantType>,
    scopes: AllowedScopes,
    default_scope: Scope,
    redirect_uris: Vec<String>,
    native: bool,
    require_pkce: bool,
    resources: Option<Vec<String>>,
    require_pushed: bool,
    #[serde(skip)]
    token_format: Option<Arc<dyn TokenFormat>>,
    jwt_access_tokens: Option<bool>,
    dpop_bound_access_tokens: bool,
    require_dpop_nonce: bool,
    access_token_lifetime: Option<Duration>,
    access_token_lifetimes: HashMap<GrantType, Duration>,
    refresh_token_lifetime: Option<Duration>,
    refresh_token_idle_lifetime: Option<Duration>,
    refresh_grace: Option<Duration>,
    authorization_code_lifetime: Option<Duration>,
    refresh_rotation: RefreshRotation,
    client_credentials_refresh_token: bool,
    introspect_any: bool,
    disabled: bool,
}

impl Client {
    /// A client with this id; see [`ClientBuilder`] for what can be set.
    pub fn builder(id: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(id.into())
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The same, for a record that is to keep it.
    pub(crate) fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.0.id)
    }

    /// What people know it as; its id if it has no name.
    pub fn name(&self) -> &str {
        self.0.name.as_deref().unwrap_or(&self.0.id)
    }

    /// Whether it has neither secret nor keys (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        !self.0.has_credentials()
    }

    /// Whether it is shut out; its tokens are inactive as long as it is.
    pub fn is_disabled(&self) -> bool {
        self.0.disabled
    }

    /// Whether it may use this grant.
    pub fn allows_grant(&self, grant: GrantType) -> bool {
        self.0.grants.contains(&grant)
    }

    /// Whether it may ask for all of this scope.
    pub fn allows_scope(&self, scope: &Scope) -> bool {
        match &self.0.scopes {
            AllowedScopes::These(allowed) => scope.is_subset(allowed),
            AllowedScopes::Any => true,
        }
    }

    /// What of this scope it may ask for.
    pub(crate) fn allowed_of(&self, scope: &Scope) -> Scope {
        match &self.0.scopes {
            AllowedScopes::These(allowed) => scope.filtered(|token| allowed.contains(token)),
            AllowedScopes::Any => scope.clone(),
        }
    }

    /// What it gets when it asks for no scope.
    pub fn default_scope(&self) -> &Scope {
        &self.0.default_scope
    }

    /// Where authorization answers may go.
    pub fn redirect_uris(&self) -> &[String] {
        &self.0.redirect_uris
    }

    /// The redirect URI of a request: one that is registered, byte by byte (RFC 9700 §2.1), or
    /// the only registered one if the request names none.
    pub(crate) fn redirect_uri<'a>(&'a self, asked: Option<&'a str>) -> Option<&'a str> {
        match (asked, self.redirect_uris()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(asked), registered) => registered
                .iter()
                .any(|uri| uri == asked || (self.0.native && redirect::same_but_port(uri, asked)))
                .then_some(asked),
        }
    }

    /// The hashes of its secrets that are valid at `now`.
    pub(crate) fn secrets(&self, now: SystemTime) -> impl Iterator<Item = &SecretHash> + Clone {
        let secrets = self.0.secrets.iter();
        let live = secrets.filter(move |(_, until)| until.is_none_or(|until| now < until));
        live.map(|(hash, _)| hash)
    }

    pub(crate) fn allows_method(&self, method: ClientAuthenticationMethod) -> bool {
        self.0.method.is_none_or(|registered| registered == method)
    }

    pub(crate) fn jwks(&self) -> Option<&Jwks> {
        self.0.jwks.as_ref()
    }

    pub(crate) fn jwks_uri(&self) -> Option<&str> {
        self.0.jwks_uri.as_deref()
    }

    pub(crate) fn assertion_secret(&self) -> Option<&str> {
        let secret = self.0.assertion_secret.as_ref();
        secret.map(ExposeSecret::expose_secret)
    }

    pub(crate) fn allows_assertion_algorithm(&self, algorithm: SigningAlgorithm) -> bool {
        self.0.assertion_algorithms.contains(&algorithm)
    }

    pub(crate) fn allows_resource(&self, resource: &str) -> bool {
        let allowed = self.0.resources.as_ref();
        allowed.is_none_or(|allowed| allowed.iter().any(|it| it == resource))
    }

    pub(crate) fn jwt_access_tokens(&self) -> Option<bool> {
        self.0.jwt_access_tokens
    }

    pub(crate) fn dpop_bound_access_tokens(&self) -> bool {
        self.0.dpop_bound_access_tokens
    }

    pub(crate) fn requires_dpop_nonce(&self) -> bool {
        self.0.require_dpop_nonce
    }

    pub(crate) fn requires_pkce(&self) -> bool {
        self.0.require_pkce || self.is_public()
    }

    pub(crate) fn requires_pushed_requests(&self) -> bool {
        self.0.require_pushed
    }

    pub(crate) fn token_format(&self) -> Option<&dyn TokenFormat> {
        self.0.token_format.as_deref()
    }

    pub(crate) fn access_token_lifetime(&self, grant: GrantType) -> Option<Duration> {
        let lifetime = self.0.access_token_lifetimes.get(&grant).copied();
        lifetime.or(self.0.access_token_lifetime)
    }

    pub(crate) fn refresh_token_lifetime(&self) -> Option<Duration> {
        self.0.refresh_token_lifetime
    }

    pub(crate) fn refresh_token_idle_lifetime(&self) -> Option<Duration> {
        self.0.refresh_token_idle_lifetime
    }

    pub(crate) fn refresh_grace(&self) -> Option<Duration> {
        self.0.refresh_grace
    }

    pub(crate) fn authorization_code_lifetime(&self) -> Option<Duration> {
        self.0.authorization_code_lifetime
    }

    pub(crate) fn refresh_rotation(&self) -> RefreshRotation {
        self.0.refresh_rotation
    }

    /// Whether tokens of this grant come with a refresh token.
    pub(crate) fn gets_refresh_token(&self, grant: GrantType) -> bool {
        match grant {
            GrantType::ClientCredentials => self.0.client_credentials_refresh_token,
            // RFC 6749 §4.2.2
            GrantType::Implicit => false,
            _ => self.allows_grant(GrantType::RefreshToken),
        }
    }

    pub(crate) fn introspects_any(&self) -> bool {
        self.0.introspect_any
    }

    /// What a store would hold of it.
    pub(crate) fn dump(&self) -> serde_json::Value {
        let secrets = self.0.secrets.iter().map(|(hash, _)| hash.to_string());
        serde_json::json!({
            "id": self.id(),
            "secrets": secrets.collect::<Vec<_>>(),
            "assertion_secret": self.assertion_secret(),
        })
    }
}

impl Settings {
    fn has_credentials(&self) -> bool {
        let keys = self.jwks.is_some() || self.jwks_uri.is_some();
        !self.secrets.is_empty() || keys || self.assertion_secret.is_some()
    }
}

impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Settings::deserialize(deserializer).map(|settings| Self(Arc::new(settings)))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.0.id)
            .field("public", &self.is_public())
            .field("grants", &self.0.grants)
            .finish_non_exhaustive()
    }
}

fn exposed<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret
        .as_ref()
        .map(ExposeSecret::expose_secret)
        .serialize(to)
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}
