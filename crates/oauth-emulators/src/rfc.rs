//! A server that keeps to the RFCs: oauth-server's own router, with a person who says yes at the
//! authorization endpoint, or the server's pages for one who can.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use oauth_server::memory::MemoryScopes;
use oauth_server::pages::PageSettings;
use oauth_server::{
    AuthorizationServer, AuthorizeError, BuildError, ClientAuthenticationMethod, DeviceApplication,
    GrantType, HttpJwks, IntrospectApplication, IntrospectResponse, OsRandom, PushedApplication,
    RefreshRotation, RevokeApplication, RfcApplication, ScopeRecord, SecretCost, SigningAlgorithm,
    SigningKey, SigningKeys, TokenApplication, UserinfoApplication,
};
use tower_service::Service;

use crate::authority::{Authority, Setup};
use crate::facade::Facade;
use crate::params::Params;
use crate::switches::Switches;
use crate::{Client, reply};

pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("token", "/token"),
    ("authorize", "/authorize"),
    ("introspect", "/introspect"),
    ("revoke", "/revoke"),
    ("device", "/device_authorization"),
    ("userinfo", "/userinfo"),
    ("jwks", "/jwks"),
    ("par", "/par"),
    ("metadata", METADATA),
    ("discovery", DISCOVERY),
];

const METADATA: &str = "/.well-known/oauth-authorization-server";
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The path of a second issuer with the same clients (RFC 8414 §3.1).
const TENANT: &str = "/tenant";
const SCOPES: [&str; 7] = [
    "read",
    "write",
    "admin",
    "openid",
    "profile",
    "email",
    "offline_access",
];

/// What tokens can be limited to (RFC 8707).
const RESOURCE: &str = "https://api.example";
const OTHER_RESOURCE: &str = "https://other-api.example";

/// The demo user; the name of a client it must not be (RFC 9700 §4.15).
const SUBJECT: &str = "demo-user";

/// For how long the secret that is being replaced is still good.
const OLD_SECRET: Duration = Duration::from_secs(3600);

pub(crate) struct Rfc {
    authority: Authority,
    keys: SigningKeys,
    switches: Switches,
    scopes: Arc<MemoryScopes>,
    router: Router,
}

/// As the RFCs say, but for what a test adds to introspection.
#[derive(Clone)]
struct Rendered(Switches);

impl IntrospectApplication for Rendered {
    fn introspect_success(&self, response: &IntrospectResponse) -> Response<Bytes> {
        let claims = self.0.get().introspection_claims;
        RfcApplication.introspect_success(&response.clone().with_claims(claims))
    }
}

impl TokenApplication for Rendered {}
impl RevokeApplication for Rendered {}
impl DeviceApplication for Rendered {}
impl UserinfoApplication for Rendered {}
impl PushedApplication for Rendered {}

impl Rfc {
    pub(crate) fn new(setup: &Setup) -> Result<Self, BuildError> {
        let base_url = &setup.base_url;
        let device = format!("{base_url}/device");
        let authorize = format!("{base_url}/authorize");
        let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
        let keys = SigningKeys::new([key])?;
        let signing_keys = keys.clone();
        let scopes = SCOPES.map(|name| ScopeRecord::new(name, "")).into_iter();
        let scopes = Arc::new(scopes.collect::<Result<MemoryScopes, _>>()?);
        let known = scopes.clone();
        let fetcher = Arc::new(HttpJwks::on_loopback()?);
        let authority = Authority::new(setup, base_url, SUBJECT, seeds(), register, |server| {
            server
                .scopes(known)
                .pages(PageSettings::new())
                .jwks_fetcher(fetcher)
                .grant_types(every_grant())
                .verification_uri(device)
                .resources([RESOURCE, OTHER_RESOURCE])
                .signing_keys(signing_keys)
                .authorization_endpoint(authorize)
        })?;
        let rotating = |secrets: &[&str]| {
            let builder = oauth_server::Client::builder("rotating");
            let builder = service(builder).secret_cost(SecretCost::LOW);
            let secrets = secrets.iter();
            secrets
                .fold(builder, |builder, secret| builder.weak_secret(secret))
                .build()
        };
        authority.schedule(rotating(&["rotating-old", "rotating-new"])?, Duration::ZERO);
        authority.schedule(rotating(&["rotating-new"])?, OLD_SECRET);
        let tenant = AuthorizationServer::builder(format!("{base_url}{TENANT}"))
            .clients(authority.clients())
            .clock(Arc::new(setup.clock.clone()))
            .secret_cost(SecretCost::LOW)
            .build()?;
        let rendered = Rendered(setup.switches.clone());
        let router = authority.server.clone().into_router(rendered);
        let rfc = Self {
            router: router.merge(tenant.into_router(RfcApplication)),
            authority,
            keys,
            scopes,
            switches: setup.switches.clone(),
        };
        setup
            .clients
            .iter()
            .try_for_each(|client| rfc.learn_scopes(client))?;
        Ok(rfc)
    }

    async fn routed(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let request = request.clone().map(Body::from);
        let Ok(response) = self.router.clone().call(request).await;
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(head, body.to_bytes()),
            Err(_) => reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Whatever a client may ask for exists.
    fn learn_scopes(&self, client: &Client) -> Result<(), BuildError> {
        for name in client.scopes.iter().flatten() {
            if !SCOPES.contains(&name.as_str()) {
                self.scopes.insert(ScopeRecord::new(name, "")?);
            }
        }
        Ok(())
    }

    async fn authorize(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let says_no = self.switches.says_no(&Params::query(request));
        match self.authority.decided(request, SUBJECT, says_no).await {
            Ok(location) | Err(AuthorizeError::Redirect { location, .. }) => {
                reply::redirect(&location)
            }
            // The client is not known, so the person is told instead (RFC 6749 §4.1.2.1).
            Err(error) => {
                let error = error.error();
                reply::text(
                    error.status(),
                    "text/plain; charset=utf-8",
                    error.to_string(),
                )
            }
        }
    }
}

#[async_trait]
impl Facade for Rfc {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::POST, "/authorize") if !self.switches.get().pages => {
                self.authorize(request).await
            }
            _ => self.routed(request).await,
        }
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn put_client(&self, change: Client) -> Result<(), BuildError> {
        self.learn_scopes(&change)?;
        self.authority.put_client(change)
    }

    fn rotate_key(&self, algorithm: &str, keep: usize) -> Result<String, BuildError> {
        let new = SigningKey::generate(algorithm.parse()?, &OsRandom)?;
        let id = new.id().to_owned();
        let old = self.keys.keys();
        let kept = old.iter().take(keep).cloned();
        self.keys.replace([new].into_iter().chain(kept))?;
        Ok(id)
    }
}

fn every_grant() -> [GrantType; 5] {
    [
        GrantType::ClientCredentials,
        GrantType::Password,
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::DeviceCode,
    ]
}

fn seeds() -> Vec<Client> {
    let confidential = [
        ("svc", "svc-secret"),
        ("demo", "demo-secret"),
        ("rs", "rs-secret"),
        ("other-rs", "other-rs-secret"),
        ("limited", "limited-secret"),
        ("code-only", "code-only-secret"),
        ("without-pkce", "without-pkce-secret"),
        ("basic-only", "basic-only-secret"),
        ("an:identifier", "+%&+ =/sören"),
        ("rotating", "rotating-new"),
    ];
    let confidential = confidential.map(|(client_id, secret)| seed(client_id).secret(secret));
    let disabled = seed("disabled").secret("disabled-secret").disabled();
    let others = [seed("pub").public(), disabled];
    confidential.into_iter().chain(others).collect()
}

fn seed(client_id: &str) -> Client {
    Client::new(client_id)
        .redirect_uri("http://127.0.0.1/callback")
        .redirect_uri("http://[::1]/callback")
        .redirect_uri("http://localhost:3000/callback")
        .redirect_uri("https://example.com/callback")
}

fn register(client: &Client) -> Result<oauth_server::Client, BuildError> {
    client.register(|builder| {
        let builder = service(builder);
        match client.client_id.as_str() {
            "rs" => builder.introspect_any(true),
            "other-rs" => builder.introspect_any(true).resources([OTHER_RESOURCE]),
            "limited" => builder
                .grants([GrantType::ClientCredentials])
                .scopes(["read"]),
            "code-only" => builder.grants([GrantType::AuthorizationCode]),
            "without-pkce" => builder.require_pkce(false),
            "basic-only" => builder.authentication_method(ClientAuthenticationMethod::Basic),
            _ if client.is_public() => builder.grants([
                GrantType::AuthorizationCode,
                GrantType::DeviceCode,
                GrantType::RefreshToken,
            ]),
            _ => builder,
        }
    })
}

/// What `svc` may do. The default scope is its least.
fn service(builder: oauth_server::ClientBuilder) -> oauth_server::ClientBuilder {
    builder
        .grants(every_grant())
        .scopes(SCOPES)
        .default_scopes(["read"])
        .native()
        .refresh_rotation(RefreshRotation::Rotate)
}
