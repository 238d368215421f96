//! The server, as a client meets it, on a clock of its own.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use oauth_server::sql::SqlStore;
use oauth_server::{
    AuthorizationServer, AuthorizationServerBuilder, Client, ErrorCode, GeneratedSecret, GrantType,
    ManualClock, OAuthError, SecretCost, TokenResponse,
    memory::{MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients},
};

use super::expected::{ACCESS, CODE, GRANT, IDLE};
use crate::Redeemer;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) type Answer = Option<Issued>;

pub(crate) struct System {
    server: AuthorizationServer,
    clock: Arc<ManualClock>,
    /// Of both clients.
    secret: GeneratedSecret,
    grace: u64,
    store: Store,
}

/// What outlives the process.
enum Store {
    Memory(Contexts),
    #[cfg(feature = "sqlite")]
    Disk(Disk),
    #[cfg(feature = "postgres")]
    Postgres(Arc<crate::postgres_server::Server>),
}

/// As if they were kept by somebody else.
#[derive(Clone)]
struct Contexts {
    clients: Arc<MemoryClients>,
    tokens: Arc<MemoryAccessTokens>,
    codes: Arc<MemoryAuthorizationCodes>,
}

#[cfg(feature = "sqlite")]
struct Disk {
    folder: tempfile::TempDir,
    /// How often the process was killed.
    life: usize,
}

impl System {
    pub(crate) fn in_memory(grace: u64) -> Self {
        let secret = GeneratedSecret::generate().unwrap();
        let clock = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
        let contexts = Contexts {
            clients: Arc::new(MemoryClients::from_iter(clients(&secret))),
            tokens: Arc::default(),
            codes: Arc::default(),
        };
        Self {
            server: contexts.server(builder(&clock, grace)),
            clock,
            secret,
            grace,
            store: Store::Memory(contexts),
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) async fn in_sqlite(grace: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk { folder, life: 0 };
        let store = disk.open().await;
        let mut system = Self::in_memory(grace);
        system.keep_in(store).await;
        system.store = Store::Disk(disk);
        system
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn in_postgres(
        grace: u64,
        database: Arc<crate::postgres_server::Server>,
    ) -> Self {
        let store = Arc::new(database.open().await);
        let mut system = Self::in_memory(grace);
        system.keep_in(store).await;
        system.store = Store::Postgres(database);
        system
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    async fn keep_in(&mut self, store: Arc<SqlStore>) {
        for client in clients(&self.secret) {
            store.insert_client(&client).await.unwrap();
        }
        let server = builder(&self.clock, self.grace).sql_store(store);
        self.server = server.build().unwrap();
    }

    pub(crate) async fn authorize(&self) -> String {
        let request = Request::get(format!(
            "/authorize?response_type=code&client_id=app&code_challenge_method=S256\
             &code_challenge={CHALLENGE}"
        ));
        let request = request.body(Bytes::new()).unwrap();
        let request = self.server.preauthorize(&request).await.unwrap();
        let answer = self.server.authorize(&request, "person").await.unwrap();
        answer.code().to_owned()
    }

    pub(crate) async fn redeem(&self, code: &str, by: Redeemer) -> Answer {
        let verifier = match by {
            Redeemer::Guesser => CHALLENGE,
            _ => VERIFIER,
        };
        let client = match by {
            Redeemer::Stranger => "other",
            _ => "app",
        };
        let form = format!("grant_type=authorization_code&code={code}&code_verifier={verifier}");
        answer(self.server.token(&self.request(client, form)).await)
    }

    pub(crate) async fn refresh(&self, token: &str, own: bool) -> Answer {
        let client = if own { "app" } else { "other" };
        let form = format!("grant_type=refresh_token&refresh_token={token}");
        answer(self.server.token(&self.request(client, form)).await)
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let request = self.request("app", format!("token={token}"));
        self.server.revoke(&request).await.unwrap();
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let request = self.request("app", format!("token={token}"));
        self.server.introspect(&request).await.unwrap().is_active()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn purge(&self, limit: usize) {
        self.server.purge(limit).await.unwrap();
    }

    /// All that is not stored is gone. What is on the disk while the store is still open is what a
    /// killed process leaves.
    pub(crate) async fn crash(&mut self) {
        let builder = builder(&self.clock, self.grace);
        self.server = match &mut self.store {
            Store::Memory(contexts) => contexts.server(builder),
            #[cfg(feature = "sqlite")]
            Store::Disk(disk) => {
                let (before, after) = (disk.path(disk.life), disk.path(disk.life + 1));
                for file in ["", "-wal"] {
                    let of = |path: &std::path::Path| format!("{}{file}", path.display());
                    std::fs::copy(of(&before), of(&after)).unwrap();
                }
                disk.life += 1;
                builder.sql_store(disk.open().await).build().unwrap()
            }
            #[cfg(feature = "postgres")]
            Store::Postgres(database) => {
                let store = Arc::new(database.open().await);
                builder.sql_store(store).build().unwrap()
            }
        };
    }

    fn request(&self, client: &str, form: String) -> Request<Bytes> {
        let credentials = format!("{client}:{}", self.secret.expose());
        let basic = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", basic)
            .body(form.into())
            .unwrap()
    }
}

impl Contexts {
    fn server(&self, builder: AuthorizationServerBuilder) -> AuthorizationServer {
        let builder = builder
            .clients(self.clients.clone())
            .access_tokens(self.tokens.clone())
            .authorization_codes(self.codes.clone());
        builder.build().unwrap()
    }
}

#[cfg(feature = "sqlite")]
impl Disk {
    fn path(&self, life: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("{life}.db"))
    }

    async fn open(&self) -> Arc<SqlStore> {
        let store = SqlStore::sqlite(self.path(self.life)).await;
        Arc::new(store.unwrap().secret_cost(SecretCost::LOW).unwrap())
    }
}

fn clients(secret: &GeneratedSecret) -> [Client; 2] {
    ["app", "other"].map(|id| {
        let client = Client::builder(id)
            .generated_secret(secret)
            .grants([GrantType::AuthorizationCode, GrantType::RefreshToken])
            .redirect_uri("https://app.example/cb");
        client.build().unwrap()
    })
}

fn builder(clock: &Arc<ManualClock>, grace: u64) -> AuthorizationServerBuilder {
    let seconds = Duration::from_secs;
    AuthorizationServer::builder("https://auth.example")
        .clock(clock.clone())
        .secret_cost(SecretCost::LOW)
        .authorization_code_lifetime(seconds(CODE))
        .access_token_lifetime(seconds(ACCESS))
        .refresh_token_lifetime(seconds(GRANT))
        .refresh_token_idle_lifetime(seconds(IDLE))
        .refresh_grace(seconds(grace))
        .introspection_throttle(u32::MAX, seconds(1))
}

/// The tokens, or `invalid_grant`; anything else is wrong.
fn answer(answer: Result<TokenResponse, OAuthError>) -> Answer {
    match answer {
        Ok(tokens) => Some(Issued {
            access: tokens.access_token().to_owned(),
            refresh: tokens.refresh_token().unwrap().to_owned(),
        }),
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::InvalidGrant, "{error}");
            None
        }
    }
}
