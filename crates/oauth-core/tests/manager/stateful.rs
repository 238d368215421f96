//! Random lives of tokens against a small model of an authorization server with one-time refresh
//! tokens: two managers on one store, callers in parallel, a clock that moves, answers that fail or
//! are lost after the server has acted.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    AccessToken, Capabilities, Capability, Client, Endpoints, GenericProvider, Limits, RetryPolicy,
    Scopes, Token, TokenManager, TokenSet, Transport, TransportError, TransportErrorKind,
    clock::{Clock, ManualClock},
    manager::ManagedToken,
    store::{MemoryStore, Subject, TokenStore},
};
use proptest::{collection::vec, prelude::*};

const USERS: usize = 2;
const LIFETIME: u64 = 600;

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// So many callers at once, spread over both managers, and what happens when they have begun.
    Get {
        user: usize,
        scopes: Option<&'static str>,
        callers: usize,
        cancelled: bool,
        meanwhile: Option<Box<Self>>,
        /// How far they have come by then.
        begun: usize,
    },
    Advance(u64),
    Invalidate {
        user: usize,
    },
    Renew {
        user: usize,
    },
    Clear {
        user: usize,
    },
    /// The user logs in.
    Login {
        user: usize,
    },
    /// What becomes of the next requests.
    Faults(Vec<Fault>),
    /// The user takes the grant back.
    Withdraw {
        user: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Unavailable,
    /// Nothing reaches the server.
    Refused,
    /// The server acts, and the answer is lost.
    Lost,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = || 0..USERS;
    let scopes = prop_oneof![Just(None), Just(Some("read write")), Just(Some("read"))];
    let fault = prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Unavailable),
        1 => Just(Fault::Refused),
        1 => Just(Fault::Lost),
    ];
    // Not so long that a lease runs out: an answer would have to come after it.
    let meanwhile = prop_oneof![
        Just(Step::Advance(20)),
        user().prop_map(|user| Step::Invalidate { user }),
        user().prop_map(|user| Step::Clear { user }),
        user().prop_map(|user| Step::Login { user }),
        user().prop_map(|user| Step::Withdraw { user }),
    ];
    let meanwhile = proptest::option::of(meanwhile.prop_map(Box::new));
    let callers = (1..6_usize, any::<bool>(), meanwhile, 0..12_usize);
    let step = prop_oneof![
        6 => (user(), scopes, callers)
            .prop_map(|(user, scopes, (callers, cancelled, meanwhile, begun))| {
                Step::Get { user, scopes, callers, cancelled, meanwhile, begun }
            }),
        4 => prop_oneof![Just(1), Just(30), Just(LIFETIME / 2), Just(LIFETIME - 10), Just(LIFETIME)]
            .prop_map(Step::Advance),
        1 => user().prop_map(|user| Step::Invalidate { user }),
        1 => user().prop_map(|user| Step::Renew { user }),
        1 => user().prop_map(|user| Step::Clear { user }),
        2 => user().prop_map(|user| Step::Login { user }),
        2 => vec(fault, 1..3).prop_map(Step::Faults),
        1 => user().prop_map(|user| Step::Withdraw { user }),
    ];
    vec(step, 1..40)
}

/// The authorization server, and what must never be.
#[derive(Debug, Clone)]
struct Server {
    clock: ManualClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    issued: u64,
    /// Of each grant that lives, its one good refresh token.
    grants: HashMap<String, String>,
    /// Of each user, the grant of the last login, unless it was cleared.
    logins: HashMap<usize, String>,
    /// Of each login, the newest refresh token that the client has, as far as it was told.
    newest: HashMap<String, String>,
    /// Refresh tokens whose successor, or whose death, the client was told of.
    told: HashSet<String>,
    in_flight: HashSet<String>,
    faults: Vec<Fault>,
    wrong: Vec<String>,
}

impl Server {
    fn client(&self) -> Client {
        let endpoints = Endpoints::new("https://id.example.com/token").unwrap();
        let provider = GenericProvider::new(endpoints).with_capabilities(Capabilities::of([
            Capability::RefreshToken,
            Capability::ScopeOnRefresh,
        ]));
        Client::builder(provider, "client")
            .client_secret("secret")
            .transport(self.clone())
            .clock(Arc::new(self.clock.clone()))
            .retry(RetryPolicy::none())
            .build()
            .unwrap()
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap())
    }

    fn login(&self, user: usize) -> TokenSet {
        let refresh = self.with(|state| {
            state.issued += 1;
            let refresh = format!("refresh-{user}-{}", state.issued);
            state.grants.insert(refresh.clone(), refresh.clone());
            state.logins.insert(user, refresh.clone());
            state.newest.insert(refresh.clone(), refresh.clone());
            refresh
        });
        let now = self.clock.now();
        let token = user_token_at(now, &refresh);
        token.with_expires_at(Some(now + Duration::from_secs(LIFETIME)))
    }
}

fn user_token_at(now: std::time::SystemTime, refresh: &str) -> TokenSet {
    TokenSet::new(AccessToken::new(format!("login-{refresh}")).unwrap(), now)
        .with_scopes("read write".parse().unwrap())
        .with_refresh_token(Some(oauth_core::RefreshToken::new(refresh).unwrap()))
}

impl State {
    fn refresh(&mut self, sent: &str) -> Result<(u16, String), TransportErrorKind> {
        if self.told.contains(sent) {
            self.wrong
                .push(format!("{sent} was sent after its end was told"));
        }
        let fault = self.faults.pop().unwrap_or(Fault::None);
        match fault {
            Fault::Refused => return Err(TransportErrorKind::Connect),
            Fault::Unavailable => return Ok((503, String::new())),
            Fault::None | Fault::Lost => {}
        }
        let grant = self.grants.iter().find(|(_, good)| *good == sent);
        let Some(grant) = grant.map(|(grant, _)| grant.clone()) else {
            if fault == Fault::Lost {
                return Err(TransportErrorKind::Interrupted);
            }
            self.told.insert(sent.to_owned());
            self.newest.retain(|_, newest| newest != sent);
            return Ok((400, r#"{"error":"invalid_grant"}"#.to_owned()));
        };
        self.issued += 1;
        let (number, stem) = (self.issued, sent.rsplit_once('-').unwrap().0);
        let rotated = format!("{stem}-{number}");
        self.grants.insert(grant.clone(), rotated.clone());
        if fault == Fault::Lost {
            return Err(TransportErrorKind::Interrupted);
        }
        self.told.insert(sent.to_owned());
        self.newest.insert(grant, rotated.clone());
        let answer = serde_json::json!({
            "access_token": format!("access-{number}"),
            "token_type": "bearer",
            "expires_in": LIFETIME,
            "refresh_token": rotated,
        });
        Ok((200, answer.to_string()))
    }
}

#[async_trait]
impl Transport for Server {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let params: HashMap<String, String> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let sent = params["refresh_token"].clone();
        self.with(|state| {
            if !state.in_flight.insert(sent.clone()) {
                state.wrong.push(format!("{sent} was sent twice at once"));
            }
        });
        tokio::task::yield_now().await;
        let answer = self.with(|state| {
            state.in_flight.remove(&sent);
            state.refresh(&sent)
        });
        tokio::task::yield_now().await;
        let (status, body) = answer.map_err(TransportError::new)?;
        Ok(http::Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Bytes::from(body))
            .unwrap())
    }
}

struct World {
    server: Server,
    store: MemoryStore,
    managers: [TokenManager; 2],
    /// Of each user, the last access token that a caller was given.
    seen: [Option<AccessToken>; USERS],
    wrong: Vec<String>,
}

type Call = tokio::task::JoinHandle<Option<(usize, ManagedToken, bool)>>;

impl World {
    fn new() -> Self {
        let clock =
            ManualClock::at(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30));
        let server = Server {
            clock: clock.clone(),
            state: Arc::default(),
        };
        let store = MemoryStore::with_clock(Arc::new(clock));
        let manager = || {
            TokenManager::builder(server.client())
                .store(store.clone())
                .build()
        };
        Self {
            managers: [manager(), manager()],
            server,
            store,
            seen: Default::default(),
            wrong: Vec::new(),
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Get {
                user,
                scopes,
                callers,
                cancelled,
                meanwhile,
                begun,
            } => {
                let calls = self.call(*user, *scopes, *callers);
                for _ in 0..*begun {
                    tokio::task::yield_now().await;
                }
                if let Some(step) = meanwhile {
                    Box::pin(self.step(step)).await;
                }
                self.answers(calls, *cancelled).await;
            }
            Step::Advance(seconds) => self.server.clock.advance(Duration::from_secs(*seconds)),
            Step::Invalidate { user } => {
                let subject = subject(*user);
                if let Some(dead) = self.seen[*user].clone() {
                    self.managers[0].invalidate(&subject, &dead).await.unwrap();
                    let next = self.managers[0].get(&subject, None).await;
                    if next.is_ok_and(|next| next.access_token() == dead) {
                        self.wrong.push("an invalidated token came back".to_owned());
                    }
                }
            }
            Step::Renew { user } => {
                let _ = self.managers[1].select(&subject(*user)).renew().await;
            }
            Step::Clear { user } => {
                self.server.with(|state| state.logins.remove(user));
                let subject = subject(*user);
                for manager in &self.managers {
                    // The other process learns of it when it next reads.
                    manager.clear(&subject).await.unwrap();
                }
            }
            Step::Login { user } => {
                let token = self.server.login(*user);
                let subject = subject(*user);
                self.managers[0].clear(&subject).await.unwrap();
                self.managers[1].clear(&subject).await.unwrap();
                self.managers[0].register(&subject, token).await.unwrap();
            }
            Step::Faults(faults) => self.server.with(|state| state.faults.clone_from(faults)),
            Step::Withdraw { user } => {
                let prefix = format!("refresh-{user}-");
                self.server
                    .with(|state| state.grants.retain(|grant, _| !grant.starts_with(&prefix)));
            }
        }
    }

    /// Each says what it was given, and whether that was over when it came.
    fn call(&self, user: usize, scopes: Option<&str>, callers: usize) -> Vec<Call> {
        let scopes: Option<Scopes> = scopes.map(|text| text.parse().unwrap());
        (0..callers)
            .map(|index| {
                let (manager, scopes) = (self.managers[index % 2].clone(), scopes.clone());
                let clock = self.server.clock.clone();
                tokio::spawn(async move {
                    let token = manager.get(&subject(user), scopes.as_ref()).await.ok()?;
                    let over = token.expires_at().is_some_and(|end| end <= clock.now());
                    Some((user, token, over))
                })
            })
            .collect()
    }

    async fn answers(&mut self, calls: Vec<Call>, cancelled: bool) {
        if cancelled && calls.len() > 1 {
            tokio::task::yield_now().await;
            calls[0].abort();
        }
        for call in calls {
            if let Ok(Some((user, token, over))) = call.await {
                if over {
                    let what = format!("handed out at or after its end: {token:?}");
                    self.wrong.push(what);
                }
                self.seen[user] = Some(token.access_token());
            }
        }
    }

    /// What holds when everything has come to rest: the newest refresh token that was told is the
    /// one that is stored.
    async fn check(&mut self) {
        for user in 0..USERS {
            let owner = self.managers[0].owner(&subject(user));
            let stored = self.store.load(&owner).await.unwrap();
            let newest = self.server.with(|state| {
                let login = state.logins.get(&user)?;
                state.newest.get(login).cloned()
            });
            let is_stored = |newest: &String| {
                let mut tokens = stored.iter().flat_map(|stored| stored.record.tokens());
                tokens.any(|issued| {
                    let refresh = issued.token.refresh_token();
                    refresh.is_some_and(|refresh| refresh.expose_secret() == newest)
                })
            };
            if let Some(newest) = newest.filter(|newest| !is_stored(newest)) {
                self.wrong.push(format!("{newest} is lost"));
            }
            let tokens = stored.iter().flat_map(|stored| stored.record.tokens());
            for issued in tokens {
                let Some(refresh) = issued.token.refresh_token() else {
                    continue;
                };
                let told = self
                    .server
                    .with(|state| state.told.contains(refresh.expose_secret()));
                if told {
                    self.wrong
                        .push("a refresh token that has ended is in the store".to_owned());
                }
            }
        }
        self.wrong
            .extend(self.server.with(|state| std::mem::take(&mut state.wrong)));
    }
}

fn subject(user: usize) -> Subject {
    Subject::user(user.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_refresh_token_is_lost_or_spent_twice(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let wrong = runtime.block_on(async {
            let mut world = World::new();
            for user in 0..USERS {
                world.step(&Step::Login { user }).await;
            }
            for step in &steps {
                world.step(step).await;
            }
            for manager in &world.managers {
                // Until what runs in the background has landed.
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
                manager.save_now().await;
            }
            world.check().await;
            world.wrong
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_model_itself_refuses_a_spent_token() {
    let mut state = State::default();
    state
        .grants
        .insert("g".to_owned(), "refresh-0-0".to_owned());
    assert_eq!(state.refresh("refresh-0-0").unwrap().0, 200);
    assert_eq!(state.refresh("refresh-0-0").unwrap().0, 400);
    assert_eq!(state.wrong.len(), 1);
}
