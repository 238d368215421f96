//! What is tested: a provider bound to a base URL, its credentials, and a counterpart to start.

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use oauth_core::{Capability, Error, Provider, Scopes};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{Case, Control, Need};

/// A provider under test.
///
/// ```
/// use std::sync::Arc;
/// use oauth_conformance::{Credentials, Target};
/// use oauth_core::{Endpoints, Error, GenericProvider, Provider};
///
/// #[derive(Debug)]
/// struct Mine;
///
/// impl Target for Mine {
///     fn name(&self) -> &str {
///         "mine"
///     }
///     fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
///         Ok(Arc::new(GenericProvider::new(Endpoints::new(&format!("{base_url}/token"))?)))
///     }
///     fn credentials(&self) -> Credentials {
///         Credentials::new("id", "secret")
///     }
/// }
/// ```
#[async_trait]
pub trait Target: fmt::Debug + Send + Sync + 'static {
    /// The name in reports.
    fn name(&self) -> &str;

    /// The provider with all its endpoints under `base_url`, a loopback server without a path.
    ///
    /// # Errors
    /// When the provider cannot be built; every case then fails with it.
    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error>;

    /// Who the client is, at the counterpart and everywhere else.
    fn credentials(&self) -> Credentials;

    /// What this target does not have: see [`Need`]. Without a word of its own it has no
    /// counterpart ([`Target::start`]) and is no server.
    fn lacks(&self) -> Vec<Need> {
        vec![Need::Counterpart, Need::Server]
    }

    /// A token answer of this provider, with this access token; the suite bends it further.
    fn token_answer(&self, access_token: &str) -> Value {
        json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 3600})
    }

    /// How this provider says an OAuth error code: status and body. `None` when it has no way to.
    fn refusal(&self, code: &str) -> Option<(u16, String)> {
        Some((400, json!({ "error": code }).to_string()))
    }

    /// Starts a fresh counterpart: a server that behaves as the provider.
    ///
    /// # Errors
    /// A text that says what is missing.
    async fn start(&self) -> Result<Counterpart, String> {
        Err("this target has no counterpart".to_owned())
    }

    /// Rows that this target is known to fail, each with the reason: such a failure is reported as
    /// skipped for it, and a row that passes all the same fails the run.
    fn expected_failures(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// Cases of its own, beside those that every provider has.
    fn cases(&self) -> Vec<Case> {
        Vec::new()
    }
}

/// The grants of which a token can be asked without an earlier one, the first choice first.
pub(crate) const ANY_GRANT: [Capability; 3] = [
    Capability::ClientCredentials,
    Capability::AuthorizationCode,
    Capability::DeviceCode,
];

/// Whether `target` meets `need`, given what its provider can do.
pub(crate) fn meets(target: &dyn Target, need: Need, can: impl Fn(Capability) -> bool) -> bool {
    match need {
        Need::Can(capability) => can(capability),
        Need::AnyGrant => ANY_GRANT.into_iter().any(can),
        need => !target.lacks().contains(&need),
    }
}

/// Who the client is, and what it asks for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The confidential client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// A public client, if there is one.
    pub public_client_id: Option<String>,
    /// A user.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
    /// Scopes that the client may have: two at least.
    pub scopes: Scopes,
    /// A redirect URI of the client.
    pub redirect_uri: String,
}

impl Credentials {
    /// A confidential client, a user `demo` and the scopes `read write`.
    #[must_use]
    pub fn new(client_id: &str, client_secret: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.into(),
            public_client_id: None,
            username: "demo".to_owned(),
            password: "demo".into(),
            // Two plain words are scopes.
            scopes: Scopes::parse("read write").unwrap_or_default(),
            redirect_uri: "http://127.0.0.1/callback".to_owned(),
        }
    }

    /// Names a public client.
    #[must_use]
    pub fn with_public_client(mut self, client_id: &str) -> Self {
        self.public_client_id = Some(client_id.to_owned());
        self
    }

    /// Sets the scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the redirect URI.
    #[must_use]
    pub fn with_redirect_uri(mut self, redirect_uri: &str) -> Self {
        redirect_uri.clone_into(&mut self.redirect_uri);
        self
    }
}

/// A running server that behaves as the provider. It stops when this is dropped.
pub struct Counterpart {
    base_url: String,
    control: Control,
    server: Option<Server>,
    _running: Box<dyn Any + Send + Sync>,
}

impl Counterpart {
    /// The server at `base_url` with its control under `/_control/`; `running` stops it when
    /// dropped.
    #[must_use]
    pub fn new(base_url: &str, running: impl Any + Send + Sync) -> Self {
        Self {
            base_url: base_url.to_owned(),
            control: Control::new(base_url),
            server: None,
            _running: Box::new(running),
        }
    }

    /// Says that it is an authorization server to be tested itself.
    #[must_use]
    pub fn with_server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its control.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The authorization server, for rows about servers.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }
}

impl fmt::Debug for Counterpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counterpart")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A client as an authorization server under test knows it.
#[derive(Clone)]
pub struct ServerClient {
    /// Its id.
    pub id: String,
    /// Its secret; empty for a public client.
    pub secret: String,
}

impl fmt::Debug for ServerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerClient")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl ServerClient {
    /// A client.
    #[must_use]
    pub fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        }
    }
}

/// An authorization server under test: paths, and clients set up for the rows.
#[derive(Clone)]
#[non_exhaustive]
pub struct Server {
    /// Path of the token endpoint.
    pub token: String,
    /// Path of the introspection endpoint.
    pub introspection: String,
    /// Path of the revocation endpoint.
    pub revocation: String,
    /// Path of the device authorization endpoint.
    pub device_authorization: String,
    /// Path of the authorization endpoint.
    pub authorization: String,
    /// Path of the metadata document.
    pub metadata: String,
    /// Path of the endpoint for pushed authorization requests.
    pub pushed_authorization: String,
    /// Path of the page where a person enters a device's code.
    pub device_page: String,
    /// Path of a second issuer on the same host, whose metadata document is at the path that
    /// RFC 8414 §3.1 makes of it.
    pub second_issuer: String,
    /// Path of the userinfo endpoint, which takes access tokens with the scope `openid`.
    pub userinfo: String,
    /// A loopback redirect URI of every client that may use the code grant. These have
    /// `http://[::1]/callback` and `https://example.com/callback`, too.
    pub redirect_uri: String,
    /// A resource that tokens can be limited to (RFC 8707).
    pub resource: String,
    /// May use every grant; scopes `read write admin openid`.
    pub confidential: ServerClient,
    /// Has no secret; may use the code, device and refresh grants.
    pub public: ServerClient,
    /// Only client credentials, only scope `read`.
    pub limited: ServerClient,
    /// May not use client credentials.
    pub code_only: ServerClient,
    /// May use the code grant without PKCE.
    pub without_pkce: ServerClient,
    /// Registered for `client_secret_basic` (RFC 7591 §2).
    pub basic_only: ServerClient,
    /// Id and secret of characters that form encoding changes.
    pub odd: ServerClient,
    /// Exists, but is switched off.
    pub disabled: ServerClient,
    /// May introspect.
    pub resource_server: ServerClient,
    /// May introspect, but not what is limited to `resource`.
    pub other_resource_server: ServerClient,
    /// Has two secrets: this one, and for a while the old one.
    pub rotating: ServerClient,
    /// The old secret of `rotating`.
    pub old_secret: String,
    /// How long that one is good from the start on, in seconds.
    pub old_secret_seconds: i64,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("token", &self.token)
            .field("authorization", &self.authorization)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server with the usual paths, set up as the demo of this workspace.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            token: "/token".to_owned(),
            introspection: "/introspect".to_owned(),
            revocation: "/revoke".to_owned(),
            device_authorization: "/device_authorization".to_owned(),
            authorization: "/authorize".to_owned(),
            metadata: "/.well-known/oauth-authorization-server".to_owned(),
            pushed_authorization: "/par".to_owned(),
            device_page: "/device".to_owned(),
            second_issuer: "/tenant".to_owned(),
            userinfo: "/userinfo".to_owned(),
            redirect_uri: "http://127.0.0.1/callback".to_owned(),
            resource: "https://api.example".to_owned(),
            confidential: ServerClient::new("svc", "svc-secret"),
            public: ServerClient::new("pub", ""),
            limited: ServerClient::new("limited", "limited-secret"),
            code_only: ServerClient::new("code-only", "code-only-secret"),
            without_pkce: ServerClient::new("without-pkce", "without-pkce-secret"),
            basic_only: ServerClient::new("basic-only", "basic-only-secret"),
            odd: ServerClient::new("an:identifier", "+%&+ =/sören"),
            disabled: ServerClient::new("disabled", "disabled-secret"),
            resource_server: ServerClient::new("rs", "rs-secret"),
            other_resource_server: ServerClient::new("other-rs", "other-rs-secret"),
            rotating: ServerClient::new("rotating", "rotating-new"),
            old_secret: "rotating-old".to_owned(),
            old_secret_seconds: 3600,
        }
    }
}
