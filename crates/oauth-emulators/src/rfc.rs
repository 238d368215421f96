//! A server that keeps to the RFCs: oauth-server's own router, with a person who says yes at the
//! authorization endpoint.

use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use oauth_server::{
    AuthorizeError, BuildError, ClientAuthenticationMethod, GrantType, OsRandom, RefreshRotation,
    RfcApplication, SecretCost, SigningAlgorithm, SigningKey, SigningKeys,
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
    ("metadata", METADATA),
    ("discovery", DISCOVERY),
];

const METADATA: &str = "/.well-known/oauth-authorization-server";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const SCOPES: [&str; 7] = [
    "read",
    "write",
    "admin",
    "openid",
    "profile",
    "email",
    "offline_access",
];

/// The demo user; the name of a client it must not be (RFC 9700 §4.15).
const SUBJECT: &str = "demo-user";

/// For how long the secret that is being replaced is still good.
const OLD_SECRET: Duration = Duration::from_secs(3600);

pub(crate) struct Rfc {
    authority: Authority,
    keys: SigningKeys,
    switches: Switches,
    router: Router,
}

impl Rfc {
    pub(crate) fn new(setup: &Setup) -> Result<Self, BuildError> {
        let base_url = &setup.base_url;
        let device = format!("{base_url}/device");
        let authorize = format!("{base_url}/authorize");
        let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
        let keys = SigningKeys::new([key])?;
        let signing_keys = keys.clone();
        let authority = Authority::new(setup, base_url, SUBJECT, seeds(), register, |server| {
            server
                .grant_types(every_grant())
                .verification_uri(device)
                .resources(["https://api.example", "https://other-api.example"])
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
        Ok(Self {
            router: authority.server.clone().into_router(RfcApplication),
            authority,
            keys,
            switches: setup.switches.clone(),
        })
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

    fn metadata(&self) -> Response<Bytes> {
        let mut document = self.authority.server.metadata();
        document["scopes_supported"] = SCOPES.into_iter().collect();
        reply::json(StatusCode::OK, &document)
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
            (&Method::GET, METADATA | DISCOVERY) => self.metadata(),
            (&Method::GET | &Method::POST, "/authorize") => self.authorize(request).await,
            _ => self.routed(request).await,
        }
    }

    fn authority(&self) -> &Authority {
        &self.authority
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
