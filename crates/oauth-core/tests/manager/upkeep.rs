//! What is removed, renewed and bounded without being asked for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use oauth_core::{
    AccessToken, Client, Error, TokenManager, TokenSet,
    clock::Clock,
    manager::{Event, RefreshPolicy, TokenSource},
    store::{MemoryStore, Subject, TokenRequest},
};

use crate::{
    parts::{HOUR, World, builder, client, login, scopes, seconds, settle, user},
    server::Server,
};

fn plain(server: &Server, access: &str) -> TokenSet {
    login(server, access, "")
}

#[tokio::test]
async fn a_hundred_thousand_dead_entries_go_also_without_a_background_task() {
    let server = Server::new();
    let tokens = builder(&server).build();
    let mut events = tokens.events();
    let owners = 100_000_usize;
    for index in 0..owners {
        let subject = Subject::user(index.to_string());
        let token = plain(&server, "access");
        tokens.register(&subject, token).await.unwrap();
    }
    assert_eq!(tokens.len(), owners);
    server.clock.advance(HOUR + seconds(61));
    tokens
        .register(&user(), plain(&server, "alive"))
        .await
        .unwrap();
    settle().await;
    assert_eq!(tokens.len(), 1);
    let mut all = std::iter::from_fn(|| events.try_next());
    assert!(
        all.all(|event| !matches!(event, Event::Purged { .. })),
        "missed: the stream was full"
    );
    assert_eq!(events.missed() as usize, owners + 2 - 1024);
}

/// As with a resource per user, or an account per scope: one token always lives.
#[tokio::test]
async fn an_owner_keeps_no_more_token_sets_than_can_still_be_used() {
    let server = Server::new();
    server.lifetime(60);
    let store = MemoryStore::with_clock(Arc::new(server.clock.clone()));
    for tokens in [
        builder(&server).build(),
        builder(&server).store(store).build(),
    ] {
        let lasting = login(&server, "lasting", "refresh-0").with_expires_at(None);
        tokens.register(&Subject::Client, lasting).await.unwrap();
        for index in 0..10_000 {
            let wanted = tokens.select(&Subject::Client);
            let wanted = wanted.scopes(scopes(&format!("read {index}")));
            wanted
                .resource("https://api.example.com")
                .get()
                .await
                .unwrap();
            server.clock.advance(seconds(10));
            if index % 1000 == 999 {
                // 60 s of life and 60 s of grace, and the one that can be refreshed.
                let held = tokens.sessions(&Subject::Client).await.unwrap();
                assert_eq!(held.len(), 13, "after {index}");
            }
        }
        let held = tokens.sessions(&Subject::Client).await.unwrap();
        assert!(held[0].refreshable, "{:?}", held[0]);
    }
}

#[tokio::test]
async fn memory_holds_no_more_owners_than_it_may_even_if_all_end_at_once() {
    let server = Server::new();
    let store = MemoryStore::with_clock(Arc::new(server.clock.clone()));
    let tokens = builder(&server).store(store).capacity(1000).build();
    for index in 0..10_000 {
        let subject = Subject::user(index.to_string());
        let token = login(&server, &format!("access-of-{index}"), "refresh-0");
        tokens.register(&subject, token).await.unwrap();
    }
    server.clock.advance(seconds(31));
    tokens
        .register(&user(), plain(&server, "alive"))
        .await
        .unwrap();
    settle().await;
    assert_eq!(tokens.len(), 1000);
    for index in [0, 5000, 9999] {
        let subject = Subject::user(index.to_string());
        let token = tokens.get(&subject, None).await.unwrap();
        assert_eq!(token.expose_secret(), format!("access-of-{index}"));
    }
    assert_eq!(server.count(), 0, "the others are read again");
}

/// Its clock stands still while somebody sleeps: the rounds of the task are the test's.
async fn with_background(server: &Server) -> TokenManager {
    let tokens = builder(server).background_refresh(true).build();
    // The first flight starts the task.
    tokens.get(&Subject::Client, None).await.unwrap();
    tokens
}

async fn pass(server: &Server, rounds: usize) {
    for _ in 0..rounds {
        server.clock.advance(seconds(30));
        settle().await;
    }
}

#[tokio::test]
async fn what_nobody_asks_for_is_renewed_until_the_last_manager_is_gone() {
    let server = Server::stepped();
    let tokens = with_background(&server).await;
    let token = login(&server, "access-0", "refresh-0");
    tokens.register(&user(), token).await.unwrap();
    pass(&server, 120).await;
    assert_eq!(server.count(), 2);
    assert_eq!(
        server.sent(1, "refresh_token").as_deref(),
        Some("refresh-0")
    );
    let mut events = tokens.events();
    let clone = tokens.clone();
    drop(tokens);
    pass(&server, 1).await;
    drop(clone);
    let sleeps = server.clock.sleeps().len();
    pass(&server, 300).await;
    assert_eq!(server.count(), 2, "nobody is left to renew for");
    assert!(server.clock.sleeps().len() <= sleeps + 1);
    while events.try_next().is_some() {}
    assert!(events.next().await.is_none(), "the stream ends");
}

#[tokio::test]
async fn a_failure_in_the_background_is_mended_by_a_login() {
    let server = Server::stepped();
    let tokens = with_background(&server).await;
    server.accept("refresh-new");
    let token = login(&server, "access-0", "refresh-dead");
    tokens.register(&user(), token).await.unwrap();
    pass(&server, 130).await;
    assert_eq!(server.count(), 2, "refused once, and not sent again");
    let token = login(&server, "access-new", "refresh-new");
    tokens.register(&user(), token).await.unwrap();
    pass(&server, 120).await;
    assert_eq!(server.count(), 3);
    let token = tokens.get(&user(), None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-2");
}

#[tokio::test]
async fn each_token_of_an_owner_is_renewed_in_the_background() {
    let server = Server::stepped();
    let tokens = with_background(&server).await;
    let now = server.clock.now();
    let long = login(&server, "long", "refresh-long").with_expires_at(Some(now + HOUR * 10));
    tokens.register(&user(), long).await.unwrap();
    let short = login(&server, "short", "refresh-short").with_scopes(scopes("other"));
    tokens.register(&user(), short).await.unwrap();
    pass(&server, 120).await;
    assert_eq!(
        server.sent(1, "refresh_token").as_deref(),
        Some("refresh-short")
    );
}

/// What was sent, but for the first, which is the client's own.
fn spent(server: &Server) -> Vec<String> {
    (1..server.count())
        .filter_map(|index| server.sent(index, "refresh_token"))
        .collect()
}

#[tokio::test]
async fn a_round_renews_all_that_is_due_and_first_what_ends_first() {
    let server = Server::stepped();
    let tokens = builder(&server)
        .background_refresh(true)
        .policy(RefreshPolicy::default().with_concurrency(1))
        .build();
    tokens.get(&Subject::Client, None).await.unwrap();
    let now = server.clock.now();
    for index in 0..1000_u64 {
        // Each 30 ms later than another, in no order.
        let order = index * 7919 % 1000;
        let token = login(&server, "access-0", &format!("refresh-{order:03}"));
        let end = now + HOUR + std::time::Duration::from_millis(order * 30);
        let subject = Subject::user(index.to_string());
        tokens
            .register(&subject, token.with_expires_at(Some(end)))
            .await
            .unwrap();
    }
    // One round, which comes when all of them are in their last minute and still live.
    server.clock.advance(HOUR - seconds(1));
    for _ in 0..100 {
        settle().await;
    }
    let expected: Vec<_> = (0..1000)
        .map(|order| format!("refresh-{order:03}"))
        .collect();
    assert_eq!(spent(&server), expected);
}

#[tokio::test]
async fn what_others_keep_in_the_store_does_not_stand_before_ours() {
    let server = Server::stepped();
    let store = MemoryStore::with_clock(Arc::new(server.clock.clone()));
    let before = builder(&server).store(store.clone()).build();
    let other = client(
        &server,
        "other.example.com",
        oauth_core::RetryPolicy::none(),
    );
    let others = before.with_client(other);
    let end = server.clock.now() + HOUR;
    for index in 0..250 {
        // The others' come first, and of ours those that fail.
        let (tokens, refresh, end) = match index {
            0..150 => (&others, "refresh-other", end - seconds(3)),
            150..200 => (&before, "refresh-failing", end - seconds(2)),
            _ => (&before, "refresh-ours", end),
        };
        let token = login(&server, "access-0", refresh).with_expires_at(Some(end));
        let subject = Subject::user(index.to_string());
        tokens.register(&subject, token).await.unwrap();
    }
    drop((before, others));
    let tokens = builder(&server)
        .store(store)
        .background_refresh(true)
        .policy(RefreshPolicy::default().with_concurrency(1))
        .build();
    tokens.get(&Subject::Client, None).await.unwrap();
    server.accept("refresh-ours");
    server.rotate(false);
    server.clock.advance(HOUR - seconds(5));
    for _ in 0..30 {
        settle().await;
    }
    let spent = spent(&server);
    let count = |refresh: &str| spent.iter().filter(|sent| *sent == refresh).count();
    assert_eq!(count("refresh-ours"), 50, "{spent:?}");
    assert_eq!(count("refresh-failing"), 50);
    assert_eq!(count("refresh-other"), 0);
}

#[test]
fn the_task_starts_again_after_its_runtime_is_gone() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    let server = Server::stepped();
    let tokens = runtime().block_on(async {
        let tokens = with_background(&server).await;
        let token = login(&server, "access-0", "refresh-0");
        tokens.register(&user(), token).await.unwrap();
        tokens
    });
    runtime().block_on(async {
        tokens.select(&Subject::Client).renew().await.unwrap();
        pass(&server, 120).await;
        assert_eq!(
            server.sent(2, "refresh_token").as_deref(),
            Some("refresh-0")
        );
    });
}

#[tokio::test]
async fn a_window_without_end_is_no_panic() {
    let server = Server::stepped();
    let store = MemoryStore::with_clock(Arc::new(server.clock.clone()));
    let forever = std::time::Duration::MAX;
    let tokens = builder(&server)
        .store(store)
        .policy(RefreshPolicy::default().with_advisory(forever))
        .background_refresh(true)
        .build();
    tokens.get(&Subject::Client, None).await.unwrap();
    let token = login(&server, "access-0", "refresh-0");
    tokens.register(&user(), token).await.unwrap();
    pass(&server, 120).await;
    assert!(server.count() > 1, "the task lives and renews");
}

/// Counts how many of its requests run at once.
#[derive(Debug, Clone, Default)]
struct Busy {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl TokenSource for Busy {
    async fn token(
        &self,
        _: &Client,
        _: &Subject,
        _: &TokenRequest,
    ) -> Result<Option<TokenSet>, Error> {
        self.most
            .fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, SeqCst);
        let token = TokenSet::new(
            AccessToken::new("from-the-source")?,
            std::time::SystemTime::UNIX_EPOCH,
        );
        Ok(Some(token))
    }
}

/// Refresh tokens that are refused, all at once: the source is asked, but not by all at once.
#[tokio::test]
async fn no_more_requests_run_at_once_than_may() {
    let server = Server::new();
    server.accept("none of them");
    let source = Busy::default();
    let tokens = TokenManager::builder(client(
        &server,
        "id.example.com",
        oauth_core::RetryPolicy::none(),
    ))
    .source(source.clone())
    .policy(RefreshPolicy::default().with_concurrency(3))
    .build();
    let mut events = tokens.events();
    let subject = |index: u32| Subject::user(index.to_string());
    for index in 0..20 {
        let token = login(&server, "access-0", "refresh-dead");
        tokens.register(&subject(index), token).await.unwrap();
    }
    server.clock.advance(HOUR);
    let callers: Vec<_> = (0..20)
        .map(|index| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.get(&subject(index), None).await })
        })
        .collect();
    for caller in callers {
        let token = caller.await.unwrap().unwrap();
        assert_eq!(token.expose_secret(), "from-the-source");
    }
    assert!(source.most.load(SeqCst) <= 3, "{source:?}");
    let mut all = std::iter::from_fn(|| events.try_next());
    assert!(
        all.all(|event| !matches!(event, Event::ReauthorizationRequired { .. })),
        "no user has to come back"
    );
}

#[tokio::test]
async fn the_store_is_purged_too() {
    let world = World::new().await;
    let short = Subject::user("short");
    let token = plain(&world.server, "access");
    world.tokens.register(&short, token).await.unwrap();
    use oauth_core::store::TokenStore;
    let owner = world.tokens.owner(&short);
    // Another machine, whose clock is behind, may still have use for it for most of a day.
    world.server.clock.advance(23 * HOUR);
    world.get().await;
    settle().await;
    assert!(world.store.inner.load(&owner).await.unwrap().is_some());
    world.server.clock.advance(2 * HOUR + seconds(1));
    world.get().await;
    settle().await;
    assert!(world.store.inner.load(&owner).await.unwrap().is_none());
    assert!(world.stored().await.is_some(), "what can be renewed stays");
}
