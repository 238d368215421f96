//! A registered client, and what it may do.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{GrantType, Scope, SecretHash, TokenFormat};

mod builder;
mod redirect;

pub use builder::ClientBuilder;
pub(crate) use builder::{
    MAX_CLIENT_ID, check_access_token_lifetime, check_refresh_token_lifetime,
};
pub(crate) use redirect::is_loopback;

/// How a client sends its secret (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthenticationMethod {
    /// In the `Authorization` header: `client_secret_basic`.
    Basic,
    /// In the body: `client_secret_post`.
    Post,
}

/// What becomes of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
#[derive(Clone)]
enum AllowedScopes {
    These(Scope),
    Any,
}

struct Settings {
    id: String,
    secrets: Vec<(SecretHash, Option<SystemTime>)>,
    method: Option<ClientAuthenticationMethod>,
    grants: Vec<GrantType>,
    scopes: AllowedScopes,
    default_scope: Scope,
    redirect_uris: Vec<String>,
    native: bool,
    require_pkce: bool,
    token_format: Option<Arc<dyn TokenFormat>>,
    access_token_lifetime: Option<Duration>,
    access_token_lifetimes: HashMap<GrantType, Duration>,
    refresh_token_lifetime: Option<Duration>,
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

    /// Whether it has no secret (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.0.secrets.is_empty()
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
    pub(crate) fn secrets(&self, now: SystemTime) -> Vec<SecretHash> {
        let live = |(_, until): &&(_, Option<SystemTime>)| until.is_none_or(|until| now < until);
        let secrets = self.0.secrets.iter().filter(live);
        secrets.map(|(hash, _)| hash.clone()).collect()
    }

    pub(crate) fn allows_method(&self, method: ClientAuthenticationMethod) -> bool {
        self.0.method.is_none_or(|registered| registered == method)
    }

    pub(crate) fn requires_pkce(&self) -> bool {
        self.0.require_pkce || self.is_public()
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

    pub(crate) fn refresh_rotation(&self) -> RefreshRotation {
        self.0.refresh_rotation
    }

    /// Whether tokens of this grant come with a refresh token.
    pub(crate) fn gets_refresh_token(&self, grant: GrantType) -> bool {
        match grant {
            GrantType::ClientCredentials => self.0.client_credentials_refresh_token,
            _ => self.allows_grant(GrantType::RefreshToken),
        }
    }

    pub(crate) fn introspects_any(&self) -> bool {
        self.0.introspect_any
    }

    /// What a store would hold of it.
    pub(crate) fn dump(&self) -> serde_json::Value {
        let secrets = self.0.secrets.iter().map(|(hash, _)| hash.to_string());
        serde_json::json!({ "id": self.id(), "secrets": secrets.collect::<Vec<_>>() })
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
