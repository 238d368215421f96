//! A server with known clients, a clock that stands, and everything in memory.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;
use oauth_server::{
    AuthorizationServer, AuthorizationServerBuilder, Client, ClientBuilder, ErrorCode, GrantType,
    ManualClock, OAuthError, SecretCost, TokenResponse,
    memory::{
        MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients, MemoryDeviceCodes,
        MemoryResourceOwners,
    },
};

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const SECRET: &str = "the secret of this client";
pub(crate) const CALLBACK: &str = "https://app.example/cb";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) const ALL_GRANTS: [GrantType; 5] = [
    GrantType::AuthorizationCode,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::Password,
    GrantType::RefreshToken,
];

pub(crate) struct World {
    pub(crate) server: AuthorizationServer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) clients: Arc<MemoryClients>,
    pub(crate) tokens: Arc<MemoryAccessTokens>,
    pub(crate) codes: Arc<MemoryAuthorizationCodes>,
    pub(crate) devices: Arc<MemoryDeviceCodes>,
    pub(crate) owners: Arc<MemoryResourceOwners>,
}

pub(crate) fn world() -> World {
    world_with(|builder| builder)
}

/// With the clients `app`, `other` (both may do everything), `public` and `resource`.
pub(crate) fn world_with(
    change: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> World {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let world = |server, clock, clients, tokens, codes, devices, owners| World {
        server,
        clock,
        clients,
        tokens,
        codes,
        devices,
        owners,
    };
    let clock = Arc::new(ManualClock::new(now));
    let clients = Arc::new(MemoryClients::new());
    let tokens = Arc::new(MemoryAccessTokens::new());
    let codes = Arc::new(MemoryAuthorizationCodes::new());
    let devices = Arc::new(MemoryDeviceCodes::new());
    let owners = Arc::new(MemoryResourceOwners::new(SecretCost::LOW).unwrap());
    owners.insert("ada", "person-1", "her pass phrase").unwrap();
    for client in [
        app("app").build(),
        app("other").build(),
        everything(Client::builder("public").public().native())
            .redirect_uri("http://127.0.0.1/cb")
            .build(),
        everything(Client::builder("resource").secret(SECRET))
            .introspect_any(true)
            .build(),
    ] {
        clients.insert(client.unwrap());
    }
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(clients.clone())
        .access_tokens(tokens.clone())
        .authorization_codes(codes.clone())
        .device_codes(devices.clone())
        .resource_owners(owners.clone())
        .clock(clock.clone())
        .grant_types(ALL_GRANTS)
        .secret_cost(SecretCost::LOW);
    let server = change(builder).build().unwrap();
    world(server, clock, clients, tokens, codes, devices, owners)
}

pub(crate) fn app(id: &str) -> ClientBuilder {
    everything(Client::builder(id).secret(SECRET)).redirect_uri(CALLBACK)
}

fn everything(client: ClientBuilder) -> ClientBuilder {
    client
        .secret_cost(SecretCost::LOW)
        .grants(ALL_GRANTS)
        .scopes(["read", "write"])
        .default_scopes(["read"])
}

impl World {
    /// A token request of `app`.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Result<TokenResponse, OAuthError> {
        self.server.token(&as_client("app", fields)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<TokenResponse, OAuthError> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(&fields).await
    }

    /// A code of `client` that `person-1` consented to, with more parameters in the request.
    pub(crate) async fn code(&self, client: &str, more: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .extend_pairs(more)
            .finish();
        let request = Request::get(format!("/authorize?{query}"));
        let request = request.body(Bytes::new()).unwrap();
        let request = self.server.preauthorize(&request).await.unwrap();
        let consent = self.server.authorize(&request, "person-1").await.unwrap();
        consent.code().to_owned()
    }

    #[cfg(feature = "jwt")]
    pub(crate) fn now(&self) -> u64 {
        let now = oauth_server::Clock::now(&*self.clock).duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().as_secs()
    }

    /// Tokens of a person, from the password grant.
    pub(crate) async fn login(&self) -> TokenResponse {
        let fields = [
            ("grant_type", "password"),
            ("username", "ada"),
            ("password", "her pass phrase"),
            ("scope", "read write"),
        ];
        self.token(&fields).await.unwrap()
    }

    pub(crate) async fn is_live(&self, token: &str) -> bool {
        self.server.access_token(token).await.unwrap().is_some()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> Request<Bytes> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    raw(&body)
}

/// What redeems a code of [`World::code`].
pub(crate) fn redemption(code: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) fn raw(body: &str) -> Request<Bytes> {
    Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

/// A form with the secret of one of the world's clients in a Basic header.
pub(crate) fn as_client(id: &str, fields: &[(&str, &str)]) -> Request<Bytes> {
    with_basic(form(fields), &format!("{id}:{}", SECRET.replace(' ', "+")))
}

pub(crate) fn with_basic(mut request: Request<Bytes>, credentials: &str) -> Request<Bytes> {
    let header = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let headers = request.headers_mut();
    headers.append("authorization", header.parse().unwrap());
    request
}

#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(
    result: Result<T, OAuthError>,
    status: u16,
    code: ErrorCode,
) -> OAuthError {
    let error = result.expect_err("it must be refused");
    assert_eq!(
        (error.status().as_u16(), error.code()),
        (status, code),
        "{error}"
    );
    error
}
