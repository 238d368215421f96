//! Puts a server together.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use secrecy::SecretString;
use url::Url;

use super::{AuthorizationServer, Settings};
use crate::{
    AccessTokens, AuthorizationCodes, BasicEncoding, BuildError, Clients, Clock, DeviceCodes,
    FetchJwks, GrantType, JwtIds, OsRandom, PushedRequests, Random, ResourceOwners, Scopes,
    SecretCost, SigningKeys, SystemClock, TokenFormat, UrlSafe,
    client::{
        check_access_token_lifetime, check_authorization_code_lifetime, check_refresh_grace,
        check_refresh_token_lifetime, is_loopback,
    },
    client_keys::ClientKeys,
    dpop::Nonces,
    issue::GrantIds,
    memory::{
        MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients, MemoryDeviceCodes,
        MemoryJwtIds, MemoryPushedRequests, MemoryResourceOwners,
    },
    resource::is_resource,
    secret::Verifier,
    throttle::Throttle,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Describes a server; made by [`AuthorizationServer::builder`].
///
/// Contexts that are not set are in memory and empty.
pub struct AuthorizationServerBuilder {
    issuer: String,
    clients: Option<Arc<dyn Clients>>,
    access_tokens: Option<Arc<dyn AccessTokens>>,
    authorization_codes: Option<Arc<dyn AuthorizationCodes>>,
    device_codes: Option<Arc<dyn DeviceCodes>>,
    pushed_requests: Option<Arc<dyn PushedRequests>>,
    resource_owners: Option<Arc<dyn ResourceOwners>>,
    jwt_ids: Option<Arc<dyn JwtIds>>,
    jwks_fetcher: Option<Arc<dyn FetchJwks>>,
    signing_keys: Option<SigningKeys>,
    scopes: Option<Arc<dyn Scopes>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    token_format: Arc<dyn TokenFormat>,
    grant_types: BTreeSet<GrantType>,
    resources: BTreeSet<String>,
    jwt_access_tokens: bool,
    token_endpoint_audience: bool,
    require_dpop_nonce: bool,
    dpop_nonce_secret: Option<SecretString>,
    access_token_lifetime: Duration,
    id_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    refresh_token_idle_lifetime: Option<Duration>,
    refresh_grace: Duration,
    authorization_code_lifetime: Duration,
    device_code_lifetime: Duration,
    pushed_request_lifetime: Duration,
    require_pushed: bool,
    device_poll_interval: Duration,
    verification_uri: Option<String>,
    authorization_endpoint: Option<String>,
    basic_encoding: BasicEncoding,
    secret_cost: SecretCost,
    throttle: (u32, Duration),
    introspection_throttle: (u32, Duration),
    public_throttle: (u32, Duration),
    max_body: usize,
    max_parameters: usize,
    body_timeout: Duration,
    #[cfg(feature = "pages")]
    pages: Option<crate::pages::PageSettings>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $value:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $value;
            self
        }
    )*};
}

impl AuthorizationServerBuilder {
    pub(super) fn new(issuer: String) -> Self {
        let off = [GrantType::Password, GrantType::Implicit];
        let safe = GrantType::ALL.into_iter().filter(|it| !off.contains(it));
        Self {
            issuer,
            clients: None,
            access_tokens: None,
            authorization_codes: None,
            device_codes: None,
            pushed_requests: None,
            resource_owners: None,
            jwt_ids: None,
            jwks_fetcher: None,
            signing_keys: None,
            scopes: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            token_format: Arc::new(UrlSafe),
            grant_types: safe.collect(),
            resources: BTreeSet::new(),
            jwt_access_tokens: false,
            token_endpoint_audience: false,
            require_dpop_nonce: false,
            dpop_nonce_secret: None,
            access_token_lifetime: 60 * MINUTE,
            id_token_lifetime: 60 * MINUTE,
            refresh_token_lifetime: 30 * DAY,
            refresh_token_idle_lifetime: None,
            refresh_grace: Duration::ZERO,
            authorization_code_lifetime: MINUTE,
            device_code_lifetime: 30 * MINUTE,
            pushed_request_lifetime: 5 * MINUTE,
            require_pushed: false,
            device_poll_interval: Duration::from_secs(5),
            verification_uri: None,
            authorization_endpoint: None,
            basic_encoding: BasicEncoding::default(),
            secret_cost: SecretCost::default(),
            throttle: (20, MINUTE),
            introspection_throttle: (6_000, MINUTE),
            public_throttle: (40, MINUTE),
            max_body: 64 * 1024,
            max_parameters: 100,
            body_timeout: Duration::from_secs(10),
            #[cfg(feature = "pages")]
            pages: None,
        }
    }

    setters! {
        /// The registered clients.
        clients: Arc<dyn Clients> => Some(clients);
        /// Where access and refresh tokens are kept.
        access_tokens: Arc<dyn AccessTokens> => Some(access_tokens);
        /// Where authorization codes are kept.
        authorization_codes: Arc<dyn AuthorizationCodes> => Some(authorization_codes);
        /// Where device codes are kept.
        device_codes: Arc<dyn DeviceCodes> => Some(device_codes);
        /// Where pushed authorization requests are kept.
        pushed_requests: Arc<dyn PushedRequests> => Some(pushed_requests);
        /// The people of the password grant and the login page, and what userinfo tells about them.
        resource_owners: Arc<dyn ResourceOwners> => Some(resource_owners);
        /// Where the ids of used client assertions and DPoP proofs are kept.
        jwt_ids: Arc<dyn JwtIds> => Some(jwt_ids);
        /// What fetches the keys that clients publish
        /// ([`jwks_uri`](crate::ClientBuilder::jwks_uri)); without it such clients are answered
        /// with 503.
        jwks_fetcher: Arc<dyn FetchJwks> => Some(jwks_fetcher);
        /// What signs tokens. With keys the server publishes them at `/jwks`, gives ID tokens to
        /// clients that ask for the scope `openid`, and has `/userinfo` (OpenID Connect Core).
        signing_keys: SigningKeys => Some(signing_keys);
        /// Whether access tokens are JWTs (RFC 9068), which resources can read by themselves;
        /// false by default. They are stored and can be revoked all the same, but a resource
        /// that does not ask will not notice.
        jwt_access_tokens: bool => jwt_access_tokens;
        /// Whether client assertions may name the token endpoint as their audience, as older
        /// clients do, and not only the issuer; false by default.
        token_endpoint_audience: bool => token_endpoint_audience;
        /// Whether every DPoP proof needs a nonce of the server (RFC 9449 §8), so that none can
        /// be made in advance; false by default. A nonce is good for 5 minutes.
        require_dpop_nonce: bool => require_dpop_nonce;
        /// What DPoP nonces are made with; random by default. Servers that answer for the same
        /// clients share it.
        dpop_nonce_secret: SecretString => Some(dpop_nonce_secret);
        /// The scopes that exist; without it, those that clients may ask for do.
        scopes: Arc<dyn Scopes> => Some(scopes);
        /// What tells the time.
        clock: Arc<dyn Clock> => clock;
        /// What tokens and codes are made of.
        random: Arc<dyn Random> => random;
        /// How tokens and codes look.
        token_format: Arc<dyn TokenFormat> => token_format;
        /// How long access tokens live; 1 hour by default, at most a year, in whole seconds.
        access_token_lifetime: Duration => access_token_lifetime;
        /// How long refresh tokens live, rotations included; 30 days by default, at most 36 500,
        /// in whole seconds.
        refresh_token_lifetime: Duration => refresh_token_lifetime;
        /// How long ID tokens live; 1 hour by default, at most a day.
        id_token_lifetime: Duration => id_token_lifetime;
        /// How long a refresh token lives unless it is used; as long as its grant by default, at
        /// most 36 500 days, in whole seconds. Each use begins it anew, up to the end of
        /// [`refresh_token_lifetime`](Self::refresh_token_lifetime).
        refresh_token_idle_lifetime: Duration => Some(refresh_token_idle_lifetime);
        /// For how long a used refresh token gets its client another answer, however often it asks,
        /// should the first be lost on the way: a new access token and the same successor as
        /// before, as long as that one is unused. After it, or once the successor is used, its return revokes the
        /// whole grant. Zero, which is the default, to 60 seconds; a stolen token is as good as
        /// the client's for that long.
        refresh_grace: Duration => refresh_grace;
        /// How long authorization codes live; 60 seconds by default, at most 10 minutes.
        authorization_code_lifetime: Duration => authorization_code_lifetime;
        /// How long device codes live; 30 minutes by default.
        device_code_lifetime: Duration => device_code_lifetime;
        /// How long pushed authorization requests live, the person's time for the decision
        /// included; 5 minutes by default, at most 10.
        pushed_request_lifetime: Duration => pushed_request_lifetime;
        /// The least time between two polls of a device; 5 seconds by default.
        device_poll_interval: Duration => device_poll_interval;
        /// How clients write a Basic header; form-encoded by default.
        basic_encoding: BasicEncoding => basic_encoding;
        /// What the hash costs that is computed for an unknown client: the same as those of the
        /// known clients, so that time does not tell them apart.
        secret_cost: SecretCost => secret_cost;
        /// The largest body, in bytes; 64 KiB by default.
        max_body: usize => max_body;
        /// The largest number of parameters in a request; 100 by default.
        max_parameters: usize => max_parameters;
        /// How long a client may take to send its body to a service of this crate; 10 seconds
        /// by default.
        body_timeout: Duration => body_timeout;
    }

    /// The grants of the token endpoint; by default all but [`GrantType::Password`]
    /// and [`GrantType::Implicit`].
    pub fn grant_types(mut self, grants: impl IntoIterator<Item = GrantType>) -> Self {
        self.grant_types = grants.into_iter().collect();
        self
    }

    /// The resources that tokens can be limited to (RFC 8707); none by default, and then any
    /// `resource` parameter is refused.
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = S>) -> Self {
        self.resources = resources.into_iter().map(Into::into).collect();
        self
    }

    /// The application's page where people enter user codes; by default `/device` behind the
    /// issuer.
    pub fn verification_uri(mut self, uri: impl Into<String>) -> Self {
        self.verification_uri = Some(uri.into());
        self
    }

    /// Where the application has mounted its authorization endpoint, for the metadata.
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.authorization_endpoint = Some(url.into());
        self
    }

    /// After so many failed authentications of one client or person from one
    /// [`Source`](crate::Source) within `window`, that name is answered there with 429 until the
    /// window ends; after ten times as many for whatever names, every name is. 20 in 60 seconds
    /// by default.
    pub fn throttle(mut self, failures: u32, window: Duration) -> Self {
        self.throttle = (failures, window);
        self
    }

    /// After so many answers about tokens that are not active within `window`, a client that
    /// introspects another of them is answered with 429 until the window ends; after ten times as
    /// many it is whatever it asks about, so that it learns of no hit (RFC 7662 §4). Its own users
    /// can bring that about with bad tokens, so it is generous: 6 000 in 60 seconds by default.
    pub fn introspection_throttle(mut self, misses: u32, window: Duration) -> Self {
        self.introspection_throttle = (misses, window);
        self
    }

    /// After so many device authorizations, or so many pushed requests, in the name of one public
    /// client from one [`Source`](crate::Source) within `window`, the next is answered with 429
    /// until the window ends; so is a token request with a DPoP proof after ten times as many.
    /// Anybody knows the id of such a client, and each of these takes of what is kept for it. 40
    /// in 60 seconds by default.
    pub fn public_throttle(mut self, requests: u32, window: Duration) -> Self {
        self.public_throttle = (requests, window);
        self
    }

    /// Whether all clients must push their authorization requests (RFC 9126 §5); false by
    /// default.
    pub fn require_pushed_authorization_requests(mut self, require: bool) -> Self {
        self.require_pushed = require;
        self
    }

    /// Gives the server pages for login, consent and devices, and with them its own
    /// authorization endpoint, `/authorize` behind the issuer.
    #[cfg(feature = "pages")]
    pub fn pages(mut self, settings: crate::pages::PageSettings) -> Self {
        self.pages = Some(settings);
        self
    }

    /// Makes the server.
    ///
    /// # Errors
    ///
    /// When a value breaks one of the rules named at the setters.
    pub fn build(self) -> Result<AuthorizationServer, BuildError> {
        if !is_issuer(&self.issuer) {
            return Err(BuildError::Issuer);
        }
        check_access_token_lifetime(self.access_token_lifetime)?;
        check_refresh_token_lifetime(self.refresh_token_lifetime)?;
        if let Some(idle) = self.refresh_token_idle_lifetime {
            check_refresh_token_lifetime(idle)?;
        }
        check_refresh_grace(self.refresh_grace)?;
        check_authorization_code_lifetime(self.authorization_code_lifetime)?;
        let whole = |time: Duration, most: Duration| {
            time.subsec_nanos() == 0 && !time.is_zero() && time <= most
        };
        for (name, fits) in [
            (
                "the lifetime of ID tokens",
                whole(self.id_token_lifetime, DAY),
            ),
            (
                "the signing keys for JWT access tokens",
                self.signing_keys.is_some() || !self.jwt_access_tokens,
            ),
            (
                "the lifetime of device codes",
                whole(self.device_code_lifetime, DAY),
            ),
            (
                "the lifetime of pushed requests",
                whole(self.pushed_request_lifetime, 10 * MINUTE),
            ),
            #[cfg(feature = "pages")]
            (
                "the lifetime of sessions",
                self.pages
                    .as_ref()
                    .is_none_or(|pages| whole(pages.session_lifetime, 30 * DAY)),
            ),
            (
                "the interval of devices",
                whole(self.device_poll_interval, self.device_code_lifetime),
            ),
            (
                "the throttle",
                [
                    self.throttle,
                    self.introspection_throttle,
                    self.public_throttle,
                ]
                .iter()
                .all(|(failures, window)| *failures > 0 && *window <= DAY),
            ),
            (
                "a resource",
                self.resources.iter().all(|it| is_resource(it)),
            ),
        ] {
            if !fits {
                return Err(BuildError::Setting(name));
            }
        }
        let resource_owners = match self.resource_owners {
            Some(owners) => owners,
            None => Arc::new(MemoryResourceOwners::new(self.secret_cost)?),
        };
        #[cfg(feature = "pages")]
        let authorization_endpoint = self.authorization_endpoint.or_else(|| {
            let own = || format!("{}/authorize", self.issuer.trim_end_matches('/'));
            self.pages.is_some().then(own)
        });
        #[cfg(not(feature = "pages"))]
        let authorization_endpoint = self.authorization_endpoint;
        let throttle = |(failures, window)| Throttle::new(failures, window);
        let verification_uri = self.verification_uri;
        Ok(AuthorizationServer(Arc::new(Settings {
            clients: self
                .clients
                .unwrap_or_else(|| Arc::new(MemoryClients::new())),
            access_tokens: self
                .access_tokens
                .unwrap_or_else(|| Arc::new(MemoryAccessTokens::new())),
            authorization_codes: self
                .authorization_codes
                .unwrap_or_else(|| Arc::new(MemoryAuthorizationCodes::new())),
            device_codes: self
                .device_codes
                .unwrap_or_else(|| Arc::new(MemoryDeviceCodes::new())),
            pushed_requests: self
                .pushed_requests
                .unwrap_or_else(|| Arc::new(MemoryPushedRequests::new())),
            resource_owners,
            jwt_ids: self
                .jwt_ids
                .unwrap_or_else(|| Arc::new(MemoryJwtIds::new())),
            jwks_fetcher: self.jwks_fetcher,
            client_keys: ClientKeys::default(),
            signing_keys: self.signing_keys,
            scopes: self.scopes,
            clock: self.clock,
            grant_ids: GrantIds::new(&*self.random)?,
            issuances: AtomicUsize::new(0),
            random: self.random,
            token_format: self.token_format,
            grant_types: self.grant_types,
            resources: self.resources,
            jwt_access_tokens: self.jwt_access_tokens,
            token_endpoint_audience: self.token_endpoint_audience,
            require_dpop_nonce: self.require_dpop_nonce,
            dpop_nonces: Nonces::new(self.dpop_nonce_secret),
            access_token_lifetime: self.access_token_lifetime,
            id_token_lifetime: self.id_token_lifetime,
            refresh_token_lifetime: self.refresh_token_lifetime,
            refresh_token_idle_lifetime: self.refresh_token_idle_lifetime,
            refresh_grace: self.refresh_grace,
            authorization_code_lifetime: self.authorization_code_lifetime,
            device_code_lifetime: self.device_code_lifetime,
            pushed_request_lifetime: self.pushed_request_lifetime,
            require_pushed: self.require_pushed,
            device_poll_interval: self.device_poll_interval,
            verification_uri: verification_uri
                .unwrap_or_else(|| format!("{}/device", self.issuer.trim_end_matches('/'))),
            authorization_endpoint,
            basic_encoding: self.basic_encoding,
            throttle: throttle(self.throttle),
            introspection_throttle: throttle(self.introspection_throttle),
            public_throttle: throttle(self.public_throttle),
            verifier: Verifier::new(self.secret_cost)?,
            max_body: self.max_body,
            max_parameters: self.max_parameters,
            body_timeout: self.body_timeout,
            #[cfg(feature = "pages")]
            pages: self.pages,
            issuer: self.issuer,
        })))
    }
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// RFC 8414 §2. Tokens in clear text on a network are everybody's.
fn is_issuer(issuer: &str) -> bool {
    let Ok(url) = Url::parse(issuer) else {
        return false;
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let anonymous = url.username().is_empty() && url.password().is_none();
    // A router would read these as patterns, and axum's panics at some.
    let literal = |segment: &str| !segment.starts_with([':', '*']);
    safe && anonymous && url.path().split('/').all(literal) && !issuer.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        for good in [
            "https://a.example",
            "https://a.example/tenant",
            "http://127.0.0.1:80",
            "https://a.example/a:b*",
        ] {
            assert!(is_issuer(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://a.example?x",
            "https://a.example#",
            "a",
            "ftp://localhost",
            "https://user@a.example",
            "https://:pw@a.example",
            "https://a.example/:tenant",
            "https://a.example/t/*x",
        ] {
            assert!(!is_issuer(bad), "{bad}");
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let build = |change: fn(AuthorizationServerBuilder) -> AuthorizationServerBuilder| {
            let builder = AuthorizationServer::builder("https://a.example");
            change(builder.secret_cost(SecretCost::LOW)).build()
        };
        assert!(build(|it| it).is_ok());
        assert!(build(|it| it.access_token_lifetime(366 * DAY)).is_err());
        assert!(build(|it| it.access_token_lifetime(Duration::ZERO)).is_err());
        assert!(build(|it| it.refresh_token_lifetime(Duration::MAX)).is_err());
        assert!(build(|it| it.authorization_code_lifetime(11 * MINUTE)).is_err());
        assert!(build(|it| it.throttle(0, MINUTE)).is_err());
        assert!(build(|it| it.resources(["relative"])).is_err());
        assert!(build(|it| it.resources(["https://api.example/#x"])).is_err());
    }
}
