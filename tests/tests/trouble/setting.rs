//! A user who is logged in, a server of tokens, and a store whose server can be made to fail.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    Client, Error, GenericProvider, Limits, ReqwestTransport, ServerMetadata, Token, TokenSet,
    Transport, TransportError, grant,
    manager::TokenManager,
    secrecy::SecretString,
    store::{Subject, TokenStore},
};
use oauth_emulators::Emulator;
use oauth_store::{Plaintext, Postgres, Redis};
use test_servers::{PostgresServer, Proxy, RedisServer};

/// Long enough for a busy machine, short enough to wait for.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);
/// Nothing takes so long unless it hangs: some calls of the store, each at its limit.
const HANGS: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Postgres,
    Redis,
}

/// The database server, and the wire to it.
#[derive(Clone)]
pub(crate) struct Server(Arc<Mutex<Database>>, Arc<Proxy>);

enum Database {
    Postgres(PostgresServer),
    Redis(RedisServer),
}

macro_rules! pass {
    ($($name:ident),+) => {
        $(pub(crate) fn $name(&self) {
            match &mut *self.0.lock().unwrap() {
                Database::Postgres(server) => drop(server.$name()),
                Database::Redis(server) => drop(server.$name()),
            }
        })+
    };
}

#[allow(dropping_copy_types, reason = "some have nothing to say")]
impl Server {
    pass!(stop, kill, freeze, thaw);

    pub(crate) fn restart(&self) {
        match &mut *self.0.lock().unwrap() {
            Database::Postgres(server) => server.restart().unwrap(),
            Database::Redis(server) => server.restart().unwrap(),
        }
    }

    /// Cuts the connection on which something is sent next, before or after the server has it.
    pub(crate) fn cut_next(&self, delivered: bool) {
        self.1.cut_next(delivered);
    }

    fn start(kind: Kind) -> Self {
        let (database, port) = match kind {
            Kind::Postgres => {
                let server = PostgresServer::start().unwrap();
                let port = server.port();
                (Database::Postgres(server), port)
            }
            Kind::Redis => {
                let server = RedisServer::start().unwrap();
                let port = server.port();
                (Database::Redis(server), port)
            }
        };
        let proxy = Proxy::start(port).unwrap();
        Self(Arc::new(Mutex::new(database)), Arc::new(proxy))
    }

    fn url(&self, through_the_wire: bool) -> String {
        let (url, port) = match &*self.0.lock().unwrap() {
            Database::Postgres(server) => (server.url(), server.port()),
            Database::Redis(server) => (server.url(), server.port()),
        };
        match through_the_wire {
            true => url.replace(&port.to_string(), &self.1.port().to_string()),
            false => url,
        }
    }
}

pub(crate) struct Setting {
    kind: Kind,
    server: Server,
    emulator: Emulator,
    user: Subject,
    first: Mutex<String>,
    hook: Hook,
}

impl Setting {
    pub(crate) async fn start(kind: Kind) -> Self {
        let client = oauth_emulators::Client::new("once").secret("secret-of-the-test");
        Self {
            kind,
            server: Server::start(kind),
            emulator: Emulator::rfc()
                .client(client.one_time_refresh(true))
                .start()
                .await
                .unwrap(),
            user: Subject::user("42"),
            first: Mutex::default(),
            hook: Hook::default(),
        }
    }

    pub(crate) fn server(&self) -> Server {
        self.server.clone()
    }

    /// A manager with memory and a store of its own.
    pub(crate) async fn manager(&self) -> TokenManager {
        TokenManager::builder(client(&self.emulator, &self.hook).await)
            .shared_store(self.store(true).await)
            .build()
    }

    pub(crate) async fn log_in(&self, tokens: &TokenManager) {
        let token = log_in(tokens).await;
        *self.first.lock().unwrap() = token.access_token().expose_secret().to_owned();
        tokens.register(&self.user, token).await.unwrap();
    }

    pub(crate) fn first_token(&self) -> String {
        self.first.lock().unwrap().clone()
    }

    pub(crate) async fn get(&self, tokens: &TokenManager) -> Result<String, Error> {
        self.ask(tokens, &self.user).await
    }

    pub(crate) async fn ask(&self, tokens: &TokenManager, who: &Subject) -> Result<String, Error> {
        let token = in_time(tokens.get(who, None)).await?;
        Ok(token.expose_secret().to_owned())
    }

    pub(crate) async fn renew(&self, tokens: &TokenManager) -> Result<String, Error> {
        let token = in_time(tokens.select(&self.user).renew()).await?;
        Ok(token.expose_secret().to_owned())
    }

    /// Runs `act` when the next token answer has come, and before anything is done with it.
    pub(crate) fn after_the_next_answer(&self, act: impl FnOnce() + Send + 'static) {
        self.hook.set(act);
    }

    /// Looks until there is something to see.
    #[expect(
        clippy::future_not_send,
        reason = "it is awaited where it is made, on the test's own thread"
    )]
    pub(crate) async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        in_time(async {
            loop {
                if let Some(seen) = look().await {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    pub(crate) async fn stored_refresh(&self) -> String {
        self.stored_refresh_if_any().await.unwrap()
    }

    pub(crate) async fn stored_refresh_if_any(&self) -> Option<String> {
        let token = self.stored(&self.user).await?;
        Some(token.refresh_token()?.expose_secret().to_owned())
    }

    pub(crate) async fn stored_access(&self, who: &Subject) -> Option<String> {
        let token = self.stored(who).await?;
        Some(token.access_token().expose_secret().to_owned())
    }

    /// Whether the server would still take a refresh token.
    pub(crate) async fn is_good(&self, refresh_token: &str) -> bool {
        is_good(&client(&self.emulator, &self.hook).await, refresh_token).await
    }

    async fn stored(&self, who: &Subject) -> Option<TokenSet> {
        let owner = self.manager().await.owner(who);
        let stored = self.store(false).await.load(&owner).await.unwrap()?;
        Some(stored.record.tokens()[0].token.clone())
    }

    async fn store(&self, through_the_wire: bool) -> Arc<dyn TokenStore> {
        let url = self.server.url(through_the_wire);
        match self.kind {
            Kind::Postgres => {
                let server = Postgres::builder(&url).time_limit(LIMIT).connect().await;
                Arc::new(Plaintext::new(server.unwrap()))
            }
            Kind::Redis => {
                let server = Redis::builder(&url).time_limit(LIMIT).connect().await;
                Arc::new(Plaintext::new(server.unwrap()))
            }
        }
    }
}

pub(crate) async fn client(emulator: &Emulator, hook: &Hook) -> Client {
    let transport = ReqwestTransport::new().unwrap();
    let metadata = ServerMetadata::discover(emulator.base_url(), Arc::new(transport.clone()))
        .await
        .unwrap();
    let provider = GenericProvider::from_metadata(&metadata).unwrap();
    Client::builder(provider, "once")
        .client_secret("secret-of-the-test")
        .transport(Hooked {
            hook: hook.clone(),
            transport,
        })
        .build()
        .unwrap()
}

pub(crate) async fn log_in(tokens: &TokenManager) -> TokenSet {
    let grant = grant::Password::new("demo", "demo");
    tokens.client().exchange(&grant).await.unwrap()
}

pub(crate) async fn is_good(client: &Client, refresh_token: &str) -> bool {
    let token = SecretString::from(refresh_token);
    let said = client.introspect(&token, None).await;
    said.unwrap().is_active()
}

/// Fails rather than wait for ever.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(HANGS, what).await;
    done.expect("it hangs")
}

/// What is to be done when an answer has come; once.
#[derive(Clone, Default)]
pub(crate) struct Hook(Arc<Mutex<Option<Act>>>);

type Act = Box<dyn FnOnce() + Send>;

impl Hook {
    pub(crate) fn set(&self, act: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(act));
    }
}

struct Hooked {
    hook: Hook,
    transport: ReqwestTransport,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

#[async_trait]
impl Transport for Hooked {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let answer = self.transport.send(request, limits).await;
        let act = self.hook.0.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        answer
    }
}
