//! The server itself: its settings and contexts, shared by all of its handles.

use std::{
    collections::BTreeSet,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::{
    AccessTokens, AuthorizationCodes, BasicEncoding, Clients, Clock, DeviceCodes, ErrorCode,
    FetchJwks, GrantType, JwtIds, OAuthError, PushedRequests, Random, ResourceOwners, Scopes,
    SigningKeys, TokenFormat, client_keys::ClientKeys, dpop::Nonces, guard, issue::GrantIds,
    secret::Verifier, throttle::Throttle,
};

mod builder;

pub use builder::AuthorizationServerBuilder;

/// An authorization server that an application embeds. Cheap to clone; all clones are one server.
///
/// Its methods are the endpoints: an [`http::Request`] in, a typed outcome out. They need a Tokio
/// runtime, because secrets are hashed on its blocking threads. Services and a router on top of
/// them come from [`token_service`](Self::token_service) and [`into_router`](Self::into_router).
#[derive(Clone)]
pub struct AuthorizationServer(Arc<Settings>);

struct Settings {
    issuer: String,
    clients: Arc<dyn Clients>,
    access_tokens: Arc<dyn AccessTokens>,
    authorization_codes: Arc<dyn AuthorizationCodes>,
    device_codes: Arc<dyn DeviceCodes>,
    pushed_requests: Arc<dyn PushedRequests>,
    resource_owners: Arc<dyn ResourceOwners>,
    jwt_ids: Arc<dyn JwtIds>,
    jwks_fetcher: Option<Arc<dyn FetchJwks>>,
    client_keys: ClientKeys,
    signing_keys: Option<SigningKeys>,
    scopes: Option<Arc<dyn Scopes>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    grant_ids: GrantIds,
    issuances: AtomicUsize,
    token_format: Arc<dyn TokenFormat>,
    grant_types: BTreeSet<GrantType>,
    resources: BTreeSet<String>,
    jwt_access_tokens: bool,
    token_endpoint_audience: bool,
    require_dpop_nonce: bool,
    dpop_nonces: Nonces,
    access_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    id_token_lifetime: Duration,
    refresh_token_idle_lifetime: Option<Duration>,
    refresh_grace: Duration,
    authorization_code_lifetime: Duration,
    device_code_lifetime: Duration,
    pushed_request_lifetime: Duration,
    require_pushed: bool,
    device_poll_interval: Duration,
    verification_uri: String,
    authorization_endpoint: Option<String>,
    basic_encoding: BasicEncoding,
    throttle: Throttle,
    introspection_throttle: Throttle,
    public_throttle: Throttle,
    verifier: Verifier,
    max_body: usize,
    max_parameters: usize,
    body_timeout: Duration,
    #[cfg(feature = "pages")]
    pages: Option<crate::pages::PageSettings>,
}

impl AuthorizationServer {
    /// A server with this issuer identifier (RFC 8414 §2): an `https` URL without query and
    /// fragment, whose path is in front of every endpoint. `http` is taken on loopback only.
    pub fn builder(issuer: impl Into<String>) -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::new(issuer.into())
    }

    /// Its issuer identifier, as it was given.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The URL of an endpoint: the issuer with `path` behind it.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.issuer().trim_end_matches('/'))
    }

    /// Runs an endpoint; a panic in a context becomes a 500 that says nothing. Whoever pins it first
    /// spares the moving of a large future.
    pub(crate) async fn guarded<T>(
        &self,
        endpoint: impl Future<Output = Result<T, OAuthError>> + Send,
    ) -> Result<T, OAuthError> {
        let outcome = guard::caught(endpoint).await;
        outcome.unwrap_or_else(|| Err(OAuthError::internal()))
    }

    pub(crate) fn supports(&self, grant: GrantType) -> bool {
        self.0.grant_types.contains(&grant)
    }

    pub(crate) fn check_supported(&self, grant: GrantType) -> Result<(), OAuthError> {
        match self.supports(grant) {
            true => Ok(()),
            false => Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "the grant type is not supported",
            )),
        }
    }

    pub(crate) fn has_resource(&self, resource: &str) -> bool {
        self.0.resources.contains(resource)
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    pub(crate) fn clients(&self) -> &dyn Clients {
        &*self.0.clients
    }

    pub(crate) fn access_tokens(&self) -> &dyn AccessTokens {
        &*self.0.access_tokens
    }

    pub(crate) fn authorization_codes(&self) -> &dyn AuthorizationCodes {
        &*self.0.authorization_codes
    }

    pub(crate) fn device_codes(&self) -> &dyn DeviceCodes {
        &*self.0.device_codes
    }

    pub(crate) fn pushed_requests(&self) -> &dyn PushedRequests {
        &*self.0.pushed_requests
    }

    pub(crate) fn resource_owners(&self) -> &dyn ResourceOwners {
        &*self.0.resource_owners
    }

    pub(crate) fn scopes(&self) -> Option<&dyn Scopes> {
        self.0.scopes.as_deref()
    }

    pub(crate) fn jwt_ids(&self) -> &dyn JwtIds {
        &*self.0.jwt_ids
    }

    pub(crate) fn jwks_fetcher(&self) -> Option<&dyn FetchJwks> {
        self.0.jwks_fetcher.as_deref()
    }

    pub(crate) fn client_keys(&self) -> &ClientKeys {
        &self.0.client_keys
    }

    pub(crate) fn signing_keys(&self) -> Option<&SigningKeys> {
        self.0.signing_keys.as_ref()
    }

    pub(crate) fn jwt_access_tokens(&self) -> bool {
        self.0.jwt_access_tokens
    }

    pub(crate) fn token_endpoint_audience(&self) -> bool {
        self.0.token_endpoint_audience
    }

    pub(crate) fn require_dpop_nonce(&self) -> bool {
        self.0.require_dpop_nonce
    }

    pub(crate) fn dpop_nonces(&self) -> &Nonces {
        &self.0.dpop_nonces
    }

    pub(crate) fn id_token_lifetime(&self) -> Duration {
        self.0.id_token_lifetime
    }

    /// How many there were before this one.
    pub(crate) fn count_issuance(&self) -> usize {
        self.0.issuances.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn grant_ids(&self) -> &GrantIds {
        &self.0.grant_ids
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    pub(crate) fn token_format(&self) -> &dyn TokenFormat {
        &*self.0.token_format
    }

    pub(crate) fn access_token_lifetime(&self) -> Duration {
        self.0.access_token_lifetime
    }

    pub(crate) fn refresh_token_lifetime(&self) -> Duration {
        self.0.refresh_token_lifetime
    }

    pub(crate) fn refresh_token_idle_lifetime(&self) -> Option<Duration> {
        self.0.refresh_token_idle_lifetime
    }

    pub(crate) fn refresh_grace(&self) -> Duration {
        self.0.refresh_grace
    }

    pub(crate) fn authorization_code_lifetime(&self) -> Duration {
        self.0.authorization_code_lifetime
    }

    pub(crate) fn device_code_lifetime(&self) -> Duration {
        self.0.device_code_lifetime
    }

    pub(crate) fn pushed_request_lifetime(&self) -> Duration {
        self.0.pushed_request_lifetime
    }

    pub(crate) fn requires_pushed_requests(&self) -> bool {
        self.0.require_pushed
    }

    pub(crate) fn device_poll_interval(&self) -> Duration {
        self.0.device_poll_interval
    }

    pub(crate) fn verification_uri(&self) -> &str {
        &self.0.verification_uri
    }

    pub(crate) fn authorization_endpoint(&self) -> Option<&str> {
        self.0.authorization_endpoint.as_deref()
    }

    pub(crate) fn basic_encoding(&self) -> BasicEncoding {
        self.0.basic_encoding
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn introspection_throttle(&self) -> &Throttle {
        &self.0.introspection_throttle
    }

    pub(crate) fn public_throttle(&self) -> &Throttle {
        &self.0.public_throttle
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn max_body(&self) -> usize {
        self.0.max_body
    }

    pub(crate) fn max_parameters(&self) -> usize {
        self.0.max_parameters
    }

    #[cfg(feature = "pages")]
    pub(crate) fn page_settings(&self) -> Option<&crate::pages::PageSettings> {
        self.0.pages.as_ref()
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        self.0.body_timeout
    }
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer")
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}
