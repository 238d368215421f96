//! The process that gets a token. It is told what to do line by line, and says what it does:
//!
//! | line to it | what it does |
//! |---|---|
//! | `get` | gets the user's token; says `token …` or `error …` |
//! | `go` | goes on from the point it was to stop at |
//!
//! It ends with its parent, at the end of the lines.

use std::{sync::Arc, time::Duration};

use oauth_core::{
    Client, Error, GenericProvider, ReqwestTransport, ServerMetadata,
    manager::{Event, Events, RefreshPolicy, TokenManager},
    store::Subject,
};
use oauth_store::{Keys, Protection};
use tokio::sync::{Semaphore, mpsc};

use super::points::{Gate, GatedStore, GatedTransport, Point, say};

/// What the parent sets: the store, its keys, the server, the client, and where to stop.
pub(crate) const STORE: &str = "OAUTH_TEST_STORE";
pub(crate) const KEYS: &str = "OAUTH_TEST_KEYS";
pub(crate) const SERVER: &str = "OAUTH_TEST_SERVER";
pub(crate) const CLIENT: &str = "OAUTH_TEST_CLIENT";
pub(crate) const STOP_AT: &str = "OAUTH_TEST_STOP_AT";
/// How long its leases are, in milliseconds.
pub(crate) const LEASE: &str = "OAUTH_TEST_LEASE";

/// Whose token it is, and the secret of the clients.
pub(crate) const USER: &str = "42";
pub(crate) const SECRET: &str = "secret-of-the-test";

/// Does nothing unless a parent has started it.
#[test]
fn child() {
    let Ok(url) = std::env::var(STORE) else {
        return;
    };
    let gate = Gate {
        stop_at: std::env::var(STOP_AT)
            .ok()
            .and_then(|name| Point::named(&name)),
        go: Arc::new(Semaphore::new(0)),
    };
    let lease = std::env::var(LEASE).unwrap().parse().unwrap();
    let lease = Duration::from_millis(lease);
    let mut commands = listen(gate.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let keys = Keys::from_env(KEYS).unwrap();
        let store = oauth_store::open(&url, Protection::Keys(keys))
            .await
            .unwrap();
        let tokens = TokenManager::builder(client(&gate).await)
            .store(GatedStore { gate, store })
            .policy(RefreshPolicy::default().with_lease(lease))
            .build();
        let mut events = tokens.events();
        say("ready");
        while let Some(command) = commands.recv().await {
            assert_eq!(command, "get");
            match tokens.get(&Subject::user(USER), None).await {
                Ok(token) => say(&format!("token {}", token.expose_secret())),
                Err(error) => say(&report(&error, &mut events)),
            }
        }
    });
}

/// What a program can tell of an error: by the error itself, and by the events.
fn report(error: &Error, events: &mut Events) -> String {
    let told = std::iter::from_fn(|| events.try_next()).any(|event| {
        matches!(
            event,
            Event::ReauthorizationRequired {
                interrupted: true,
                ..
            }
        )
    });
    let why = match (error.is_interrupted(), told) {
        (true, true) => "interrupted",
        (false, false) => "refused",
        _ => "the error and the event differ",
    };
    format!("error {why}: {error}")
}

async fn client(gate: &Gate) -> Client {
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    let server = std::env::var(SERVER).unwrap();
    let metadata = ServerMetadata::discover(&server, transport).await.unwrap();
    let provider = GenericProvider::from_metadata(&metadata).unwrap();
    Client::builder(provider, std::env::var(CLIENT).unwrap())
        .client_secret(SECRET)
        .transport(GatedTransport {
            gate: gate.clone(),
            transport: ReqwestTransport::new().unwrap(),
        })
        .build()
        .unwrap()
}

/// Reads lines in a thread of its own: a process that is held at a point still hears `go`.
fn listen(gate: Gate) -> mpsc::UnboundedReceiver<String> {
    let (commands, received) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            match line.as_str() {
                "go" => gate.go.add_permits(1),
                _ => drop(commands.send(line)),
            }
        }
        // Without its parent there is nothing to prove.
        std::process::exit(1);
    });
    received
}
