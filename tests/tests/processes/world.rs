//! The parent's side: the server, the store as it is, and the processes.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};

use oauth_core::{
    Client, GenericProvider, ReqwestTransport, ServerMetadata, Token, TokenSet, grant,
    manager::TokenManager,
    random::OsRandom,
    secrecy::{ExposeSecret, SecretString},
    store::{Record, StoreErrorKind, Subject, TokenRequest, TokenStore},
};
use oauth_emulators::Emulator;
use oauth_store::{Key, Keys, Protection};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{
    child::{CLIENT, KEYS, LEASE, SECRET, SERVER, STOP_AT, STORE, USER},
    place::Place,
    points::Point,
};

pub(crate) struct World {
    emulator: Emulator,
    place: Place,
    key: Key,
    client: Client,
}

impl World {
    /// A user who is logged in at a client whose refresh tokens are good for one use, as those of
    /// public clients at Twitch.
    pub(crate) async fn once(place: Place) -> Self {
        Self::start(place, "once").await
    }

    /// The same, with refresh tokens that stay good.
    pub(crate) async fn again(place: Place) -> Self {
        Self::start(place, "again").await
    }

    async fn start(place: Place, id: &str) -> Self {
        let new = |id, one_time| {
            let client = oauth_emulators::Client::new(id).secret(SECRET);
            match one_time {
                true => client.one_time_refresh(true),
                false => client.rotate(false),
            }
        };
        let emulator = Emulator::rfc()
            .client(new("once", true))
            .client(new("again", false))
            .start()
            .await
            .unwrap();
        let transport = Arc::new(ReqwestTransport::new().unwrap());
        let base = emulator.base_url();
        let metadata = ServerMetadata::discover(base, transport).await.unwrap();
        let provider = GenericProvider::from_metadata(&metadata).unwrap();
        let client = Client::builder(provider, id).client_secret(SECRET);
        let world = Self {
            client: client.build().unwrap(),
            place,
            key: Key::generate("test", &OsRandom).unwrap(),
            emulator,
        };
        world.log_in().await;
        world
    }

    /// Stores a new grant in place of what there is.
    pub(crate) async fn log_in(&self) {
        let grant = grant::Password::new("demo", "demo");
        let token = self.client.exchange(&grant).await.unwrap();
        assert!(token.refresh_token().is_some());
        let manager = TokenManager::builder(self.client.clone())
            .shared_store(self.store().await)
            .build();
        let user = Subject::user(USER);
        manager.clear(&user).await.unwrap();
        manager.register(&user, token).await.unwrap();
    }

    /// Makes the stored access token one that ended long ago.
    pub(crate) async fn expire(&self) {
        let store = self.store().await;
        let owner = TokenManager::new(self.client.clone()).owner(&Subject::user(USER));
        loop {
            let stored = store.load(&owner).await.unwrap().unwrap();
            let token = stored.record.tokens()[0].token.clone();
            let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
            let record = Record::new().with(TokenRequest::any(), token.with_expires_at(Some(past)));
            match store
                .save(&owner, &record, Some(stored.version), None)
                .await
            {
                Ok(_) => return,
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
            }
        }
    }

    /// The refresh token that is stored, read as a process that starts now would.
    pub(crate) async fn stored(&self) -> String {
        let token = self.stored_token().await;
        token.refresh_token().unwrap().expose_secret().to_owned()
    }

    /// The access token that is stored.
    pub(crate) async fn stored_access(&self) -> String {
        let token = self.stored_token().await;
        token.access_token().expose_secret().to_owned()
    }

    async fn stored_token(&self) -> TokenSet {
        let store = self.store().await;
        let owners = store.owners(None, 10).await.unwrap();
        assert_eq!(owners.len(), 1, "{owners:?}");
        let stored = store.load(&owners[0]).await.unwrap().unwrap();
        stored.record.tokens()[0].token.clone()
    }

    /// Waits until nothing is left of processes that were killed.
    pub(crate) async fn quiet(&self) {
        self.place.quiet().await;
    }

    /// Whether the server would still take a refresh token.
    pub(crate) async fn is_good(&self, refresh_token: &str) -> bool {
        let token = SecretString::from(refresh_token);
        let said = self.client.introspect(&token, None).await;
        said.unwrap().is_active()
    }

    /// How many refresh requests have arrived.
    pub(crate) fn refreshes(&self) -> usize {
        let refresh = ("grant_type".to_owned(), "refresh_token".to_owned());
        let requests = self.emulator.requests();
        requests
            .iter()
            .filter(|request| request.form().contains(&refresh))
            .count()
    }

    /// Lets the server answer the next token request with 503.
    pub(crate) fn next_request_fails(&self) {
        let fault = serde_json::json!({"path": "/token", "status": 503});
        self.emulator.script_fault(fault).unwrap();
    }

    /// A new process, which has opened the store. Killed, it does not keep others waiting for long.
    pub(crate) async fn child(&self, stop_at: Option<Point>) -> Process {
        self.child_with(stop_at, Duration::from_millis(300)).await
    }

    /// The same, with leases of that length.
    pub(crate) async fn child_with(&self, stop_at: Option<Point>, lease: Duration) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child::child", "--nocapture"])
            .env(STORE, self.place.url())
            .env(KEYS, self.key.to_line().expose_secret())
            .env(SERVER, self.emulator.base_url())
            .env(CLIENT, self.client.client_id())
            .env(LEASE, lease.as_millis().to_string())
            .env(
                STOP_AT,
                stop_at
                    .map(|point| format!("{point:?}"))
                    .unwrap_or_default(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut process = Process {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            said: Vec::new(),
        };
        assert_eq!(process.line().await.as_deref(), Some("ready"));
        process
    }

    async fn store(&self) -> Arc<dyn TokenStore> {
        let keys = Protection::Keys(Keys::new(self.key.clone()));
        oauth_store::open(&self.place.url(), keys).await.unwrap()
    }
}

/// A process, and all it has said.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Process {
    pub(crate) async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }

    /// The token, or what the error says.
    pub(crate) async fn answer(&mut self) -> Result<String, String> {
        while let Some(line) = self.line().await {
            if let Some(token) = line.strip_prefix("token ") {
                return Ok(token.to_owned());
            }
            if let Some(error) = line.strip_prefix("error ") {
                return Err(error.to_owned());
            }
        }
        panic!("it ended without an answer: {:?}", self.said);
    }

    /// Reads until it stands at `place`, or until it has said so many lines or has its answer.
    pub(crate) async fn until(&mut self, place: Option<Point>, lines: usize) {
        let mut left = lines;
        while place.is_some() || left > 0 {
            let line = self.line().await;
            let line = line.unwrap_or_else(|| panic!("it ended: {:?}", self.said));
            if place.is_some_and(|place| line == place.line()) {
                return;
            }
            left = left.saturating_sub(1);
            if line.starts_with("token ") || line.starts_with("error ") {
                assert!(place.is_none(), "it never came to {place:?}: {line}");
                return;
            }
        }
    }

    /// Reads until it says `what`, before it has its answer.
    pub(crate) async fn says(&mut self, what: &str) {
        loop {
            let line = self.line().await;
            let line = line.unwrap_or_else(|| panic!("it ended: {:?}", self.said));
            if line == what {
                return;
            }
            let answered = line.starts_with("token ") || line.starts_with("error ");
            assert!(!answered, "it never said {what}: {line}");
        }
    }

    /// Kills it (SIGKILL); all that it has said.
    pub(crate) async fn kill(mut self) -> Vec<String> {
        self.child.kill().await.unwrap();
        while self.line().await.is_some() {}
        self.said
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    async fn line(&mut self) -> Option<String> {
        while let Some(line) = self.output.next_line().await.unwrap() {
            // What stands before the mark is the test harness's.
            if let Some((_, line)) = line.split_once("> ") {
                self.said.push(line.to_owned());
                return Some(line.to_owned());
            }
        }
        None
    }
}
