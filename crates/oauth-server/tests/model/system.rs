//! The server, as a client meets it, on a clock of its own.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;
use oauth_server::{
    AuthorizationServer, AuthorizationServerBuilder, Client, ErrorCode, GeneratedSecret, GrantType,
    ManualClock, OAuthError, SecretCost, TokenResponse, memory::MemoryClients,
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
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "nothing to come back to")
    )]
    grace: u64,
    #[cfg(feature = "sqlite")]
    disk: Option<Disk>,
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
        let clients = MemoryClients::from_iter(clients(&secret));
        let server = builder(&clock, grace).clients(Arc::new(clients));
        Self {
            server: server.build().unwrap(),
            clock,
            secret,
            grace,
            #[cfg(feature = "sqlite")]
            disk: None,
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) async fn in_sqlite(grace: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut system = Self::in_memory(grace);
        let disk = Disk { folder, life: 0 };
        let store = disk.open().await;
        for client in clients(&system.secret) {
            store.insert_client(&client).await.unwrap();
        }
        let server = builder(&system.clock, grace).sql_store(store);
        system.server = server.build().unwrap();
        system.disk = Some(disk);
        system
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

    /// What is on the disk while the store is still open is what a killed process leaves.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn crash(&mut self) {
        let Some(disk) = &mut self.disk else {
            return;
        };
        let (before, after) = (disk.path(disk.life), disk.path(disk.life + 1));
        for file in ["", "-wal"] {
            let of = |path: &std::path::Path| format!("{}{file}", path.display());
            std::fs::copy(of(&before), of(&after)).unwrap();
        }
        disk.life += 1;
        let store = disk.open().await;
        let server = builder(&self.clock, self.grace).sql_store(store);
        self.server = server.build().unwrap();
    }

    #[cfg(not(feature = "sqlite"))]
    pub(crate) async fn crash(&mut self) {}

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

#[cfg(feature = "sqlite")]
impl Disk {
    fn path(&self, life: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("{life}.db"))
    }

    async fn open(&self) -> Arc<oauth_server::sql::SqlStore> {
        let store = oauth_server::sql::SqlStore::sqlite(self.path(self.life)).await;
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
