//! The session: one request for everybody, validation at start and hourly, and what a dead token
//! leads to.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use oauth_core::{
    AccessToken, ErrorKind, RefreshToken, Token, TokenSet,
    manager::Event,
    store::{MemoryStore, TokenStore},
};
use twitch::{Client, Revoked, Session, SessionHandle, helix::Unauthorized, oauth_core};

use super::support::{Answer, Server, fixture, now};

const HOUR: Duration = Duration::from_secs(3600);

fn validation() -> Answer {
    Answer::new(
        200,
        r#"{"client_id":"cid","login":"twitchdev","scopes":["chat:read"],"user_id":"1","expires_in":14400}"#,
    )
}

fn granted(access: &str, refresh: &str) -> Answer {
    Answer::new(
        200,
        format!(
            r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":14400,"scope":["chat:read"],"token_type":"bearer"}}"#
        ),
    )
}

fn login(refresh: Option<&str>) -> TokenSet {
    TokenSet::new(AccessToken::new("old").unwrap(), now())
        .with_expires_at(Some(now() + 4 * HOUR))
        .with_refresh_token(refresh.map(|text| RefreshToken::new(text).unwrap()))
}

async fn user(session: &Session, refresh: Option<&str>) -> SessionHandle {
    session.restore("1", &login(refresh)).await.unwrap()
}

async fn text(handle: &SessionHandle) -> String {
    handle.token().await.unwrap().expose_secret().to_owned()
}

fn users(client: &Client) -> http::Request<Bytes> {
    http::Request::get(client.helix_url("users").unwrap().as_str())
        .body(Bytes::new())
        .unwrap()
}

/// Method and path of what was asked.
fn paths(server: &Server) -> Vec<String> {
    let path = |asked: &String| asked.split(['\n', '?']).next().unwrap().trim().to_owned();
    server.asked().iter().map(path).collect()
}

const VALIDATE: &str = "GET /oauth2/validate";
const TOKEN: &str = "POST /oauth2/token";
const USERS: &str = "GET /helix/users";

#[tokio::test]
async fn a_login_is_validated_and_both_headers_are_there() {
    let server = Server::of([validation()]).await;
    let session = Session::new(server.public());
    let handle = session.register(&login(Some("rt"))).await.unwrap();
    assert_eq!(handle.user_id(), Some("1"));
    let headers = session.user("1").headers().await.unwrap();
    assert_eq!(headers["authorization"], "Bearer old");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["client-id"], "cid");
    assert_eq!(paths(&server), [VALIDATE], "it was validated when it came");
    let token = handle.token().await.unwrap();
    assert_eq!(token.scopes().to_string(), "chat:read");
}

#[tokio::test]
async fn a_new_login_takes_the_place_of_the_old_one() {
    let more = r#"{"client_id":"cid","login":"twitchdev","scopes":["chat:edit"],"user_id":"1","expires_in":60}"#;
    let server = Server::of([validation(), Answer::new(200, more)]).await;
    let session = Session::new(server.confidential());
    session.register(&login(Some("rt"))).await.unwrap();
    let new = TokenSet::new(AccessToken::new("new").unwrap(), now());
    let handle = session.register(&new).await.unwrap();
    assert_eq!(text(&handle).await, "new", "though it ends earlier");
}

#[tokio::test]
async fn it_is_validated_at_start_and_hourly_while_in_use() {
    let server = Server::of(std::iter::repeat_n(validation(), 4)).await;
    let session = Session::new(server.confidential());
    let long = login(None).with_expires_at(Some(now() + 10 * HOUR));
    let handle = session.restore("1", &long).await.unwrap();
    for passed in 0..=3 {
        for _ in 0..3 {
            assert_eq!(text(&handle).await, "old");
            assert_eq!(text(&session.user("1")).await, "old");
        }
        assert_eq!(server.asked().len(), passed + 1);
        server.clock.advance(HOUR - Duration::from_secs(1));
        handle.headers().await.unwrap();
        assert_eq!(server.asked().len(), passed + 1, "not before");
        server.clock.advance(Duration::from_secs(1));
        if passed == 2 {
            server.clock.advance(Duration::from_secs(1800));
        }
    }
    assert!(
        server.asked()[0].contains("authorization: OAuth old\n"),
        "{:?}",
        server.asked()
    );
    assert_eq!(paths(&server), [VALIDATE; 4], "idle in between: no more");
}

#[tokio::test]
async fn a_machine_that_slept_asks_again() {
    let server = Server::of([validation(), validation()]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, None).await;
    handle.token().await.unwrap();
    server.clock.set(now() + HOUR);
    handle.token().await.unwrap();
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_thousand_callers_wait_for_one_validation() {
    let server = Server::of([validation()]).await;
    let session = Session::new(server.confidential());
    user(&session, None).await;
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let handle = session.user("1");
            tokio::spawn(async move { text(&handle).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "old");
    }
    assert_eq!(paths(&server), [VALIDATE]);
}

#[tokio::test]
async fn a_token_that_is_called_dead_is_renewed_once() {
    let server = Server::of([fixture("validate.invalid.401"), granted("new", "rt2")]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    assert_eq!(text(&handle).await, "new");
    assert_eq!(text(&handle).await, "new");
    assert_eq!(paths(&server), [VALIDATE, TOKEN]);
    assert!(server.asked()[1].contains("refresh_token=rt&"));
}

#[tokio::test]
async fn a_dead_session_ends_and_is_not_asked_about_again() {
    let server = Server::of([
        fixture("validate.invalid.401"),
        fixture("token.refresh.400"),
    ])
    .await;
    let session = Session::new(server.confidential());
    let mut events = session.events();
    let handle = user(&session, Some("rt")).await;
    for _ in 0..3 {
        let error = handle.token().await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
        let error = handle.helix(users(session.client())).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
    }
    assert_eq!(paths(&server), [VALIDATE, TOKEN]);
    let mut ended = false;
    while let Some(event) = events.try_next() {
        ended |= matches!(event, Event::ReauthorizationRequired { owner, .. } if owner == session.owner("1"));
    }
    assert!(ended);

    // Without a refresh token there is nobody to ask.
    let server = Server::of([fixture("validate.invalid.401")]).await;
    let session = Session::new(server.confidential());
    let error = user(&session, None).await.token().await.unwrap_err();
    assert!(error.needs_reauthorization());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_that_says_neither_ends_no_session() {
    let down = || Answer::new(500, "");
    let server = Server::of([down(), down(), down(), down(), validation()]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    assert_eq!(text(&handle).await, "old");
    let before = server.asked().len();
    assert_eq!(text(&handle).await, "old");
    assert_eq!(server.asked().len(), before, "not at every call");
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(text(&handle).await, "old");
    assert!(server.asked().len() > before);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_not_handed_out() {
    let server = Server::of([validation(), validation()]).await;
    let session = Session::new(server.confidential());
    let handle = session.restore("2", &login(Some("rt"))).await.unwrap();
    for _ in 0..2 {
        assert_eq!(handle.token().await.unwrap_err().kind(), ErrorKind::Usage);
    }
    assert_eq!(paths(&server), [VALIDATE; 2]);
}

#[tokio::test]
async fn helix_renews_on_the_one_401_that_is_about_the_token() {
    let server = Server::of([
        validation(),
        fixture("helix.invalid_token.401"),
        granted("new", "rt2"),
        Answer::new(200, "{}"),
    ])
    .await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    let request = http::Request::patch(session.client().helix_url("users").unwrap().as_str())
        .body("title".into())
        .unwrap();
    assert_eq!(handle.helix(request).await.unwrap().status(), 200);
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    for (index, token) in [(1, "old"), (3, "new")] {
        assert!(asked[index].contains(&format!("authorization: Bearer {token}\n")));
        assert!(asked[index].contains("client-id: cid\n"));
        assert!(asked[index].ends_with("\n\ntitle"));
    }

    for (answer, want) in [
        (
            fixture("helix.client_id_mismatch.401"),
            Unauthorized::ClientIdMismatch,
        ),
        (
            fixture("helix.oauth_prefix.401"),
            Unauthorized::MissingToken,
        ),
        (
            Answer::new(
                401,
                r#"{"error":"Unauthorized","status":401,"message":"Missing scope: chat:edit"}"#,
            ),
            Unauthorized::Other,
        ),
    ] {
        let server = Server::of([validation(), answer]).await;
        let session = Session::new(server.confidential());
        let handle = user(&session, Some("rt")).await;
        let error = handle.helix(users(session.client())).await.unwrap_err();
        assert_eq!(Unauthorized::of(&error), Some(want));
        assert_eq!(paths(&server), [VALIDATE, USERS]);
    }
}

#[tokio::test]
async fn a_second_401_is_the_callers() {
    let dead = fixture("helix.invalid_token.401");
    let server = Server::of([validation(), dead.clone(), granted("new", "rt2"), dead]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    let error = handle.helix(users(session.client())).await.unwrap_err();
    assert_eq!(Unauthorized::of(&error), Some(Unauthorized::InvalidToken));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn when_helix_refuses_every_token_not_every_call_spends_a_refresh_token() {
    let dead = || fixture("helix.invalid_token.401");
    let mut script = vec![validation(), dead(), granted("new", "rt2"), dead()];
    script.extend([dead(), dead(), dead(), granted("newer", "rt3"), dead()]);
    let server = Server::of(script).await;
    let session = Session::new(server.confidential());
    user(&session, Some("rt")).await;
    for call in 0..4 {
        if call == 3 {
            server.clock.advance(Duration::from_secs(60));
        }
        // Each with a handle of its own.
        let refused = session.user("1").helix(users(session.client())).await;
        let said = Unauthorized::of(&refused.unwrap_err());
        assert_eq!(said, Some(Unauthorized::InvalidToken));
    }
    let order = [
        VALIDATE, USERS, TOKEN, USERS, USERS, USERS, USERS, TOKEN, USERS,
    ];
    assert_eq!(paths(&server), order);
}

#[tokio::test]
async fn a_401_about_a_token_that_was_replaced_renews_nothing() {
    let server = Server::of([validation(), granted("new", "rt2")]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    let old = handle.token().await.unwrap().access_token();
    let rejected = (0..100).map(|_| {
        let (handle, old) = (handle.clone(), old.clone());
        tokio::spawn(async move {
            handle.reject(&old).await;
            text(&handle).await
        })
    });
    for caller in rejected.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), "new");
    }
    assert_eq!(paths(&server), [VALIDATE, TOKEN]);
}

#[tokio::test]
async fn an_empty_budget_is_waited_for() {
    let limited = Answer::new(429, "")
        .with("ratelimit-remaining", 0)
        .with("ratelimit-reset", 1_700_000_002);
    let server = Server::of([validation(), limited, Answer::new(200, "{}")]).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, None).await;
    handle.helix(users(session.client())).await.unwrap();
    assert_eq!(server.clock.sleeps(), [Duration::from_secs(2)]);
}

#[tokio::test]
async fn the_token_goes_nowhere_but_to_helix() {
    let server = Server::of([]).await;
    let session = Session::new(server.confidential());
    let elsewhere = http::Request::get("http://127.0.0.1:9/helix/users")
        .body(Bytes::new())
        .unwrap();
    let error = session.app().helix(elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_app_token_is_asked_for_and_asked_for_anew() {
    let app = Answer::new(200, r#"{"client_id":"cid","scopes":[],"expires_in":60}"#);
    let server = Server::of([
        fixture("token.app.200"),
        app,
        fixture("helix.invalid_token.401"),
        Answer::new(200, r#"{"access_token":"new"}"#),
        Answer::new(200, "{}"),
    ])
    .await;
    let session = Session::new(server.confidential());
    let handle = session.app();
    assert_eq!(handle.user_id(), None);
    handle.helix(users(session.client())).await.unwrap();
    assert_eq!(paths(&server), [TOKEN, VALIDATE, USERS, TOKEN, USERS]);
    assert!(server.asked()[3].contains("grant_type=client_credentials"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_an_ended_token_spend_one_refresh_token() {
    let server = Server::of([validation(), granted("new", "rt2"), validation()]).await;
    let store = MemoryStore::new();
    let session = Session::builder(server.public())
        .store(store.clone())
        .build();
    let handle = user(&session, Some("rt")).await;
    handle.token().await.unwrap();
    server.clock.advance(4 * HOUR);
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let handle = session.user("1");
            tokio::spawn(async move { text(&handle).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "new");
    }
    assert_eq!(paths(&server), [VALIDATE, TOKEN, VALIDATE]);
    let stored = store.load(&session.owner("1")).await.unwrap().unwrap();
    let kept = &stored.record.tokens()[0].token;
    assert_eq!(kept.refresh_token().unwrap().expose_secret(), "rt2");
}

#[tokio::test]
async fn a_public_clients_refresh_token_ends_after_thirty_days() {
    let day = Duration::from_secs(24 * 3600);
    for (public, requests) in [(true, 0), (false, 1)] {
        let server = Server::of([granted("new", "rt2"), validation()]).await;
        let client = if public {
            server.public()
        } else {
            server.confidential()
        };
        let session = Session::new(client);
        let handle = user(&session, Some("rt")).await;
        server.clock.advance(30 * day);
        let result = handle.token().await;
        assert_eq!(
            result
                .err()
                .is_some_and(|error| error.needs_reauthorization()),
            public
        );
        let tokens = paths(&server);
        let tokens = tokens.iter().filter(|path| *path == TOKEN).count();
        assert_eq!(tokens, requests);
    }

    // Each refresh brings another thirty days.
    let server = Server::of([
        granted("a", "rt2"),
        validation(),
        granted("b", "rt3"),
        validation(),
    ])
    .await;
    let session = Session::new(server.public());
    let handle = user(&session, Some("rt")).await;
    for token in ["a", "b"] {
        server.clock.advance(29 * day);
        assert_eq!(text(&handle).await, token);
    }
    server.clock.advance(30 * day);
    assert!(handle.token().await.unwrap_err().needs_reauthorization());
}

#[tokio::test]
async fn another_process_finds_the_session_in_the_store() {
    let server = Server::of([validation(), validation()]).await;
    let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::new());
    let start = || {
        Session::builder(server.public())
            .shared_store(Arc::clone(&store))
            .build()
    };
    start().register(&login(Some("rt"))).await.unwrap();
    assert_eq!(text(&start().user("1")).await, "old");
    assert_eq!(paths(&server), [VALIDATE; 2], "validated at its start");
}

#[tokio::test]
async fn whoever_logs_out_is_forgotten_and_revoked() {
    let server = Server::of([Answer::new(200, "")]).await;
    let store = MemoryStore::new();
    let session = Session::builder(server.public())
        .store(store.clone())
        .build();
    let handle = user(&session, Some("rt")).await;
    assert_eq!(handle.log_out().await.unwrap(), Revoked::Now);
    assert!(server.asked()[0].ends_with("token=old&client_id=cid"));
    assert!(store.load(&session.owner("1")).await.unwrap().is_none());
    assert!(handle.token().await.unwrap_err().needs_reauthorization());
    assert_eq!(handle.log_out().await.unwrap(), Revoked::AlreadyGone);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_is_due_and_in_use_is_validated_without_a_call() {
    let server = Server::of(std::iter::repeat_n(validation(), 2)).await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    assert_eq!(session.validate_due().await, 1);
    assert_eq!(session.validate_due().await, 0, "not yet");
    server.clock.advance(HOUR);
    drop(handle);
    assert_eq!(session.validate_due().await, 0, "nobody uses it");
    let _handle = session.user("1");
    assert_eq!(session.validate_due().await, 1);
    assert_eq!(paths(&server), [VALIDATE; 2]);
}

#[tokio::test]
async fn the_background_validates_and_ends_with_the_session() {
    // The clock of these tests moves by sleeping, so an hour is over after sixty turns.
    let server = Server::of(std::iter::repeat_n(validation(), 100)).await;
    let session = Session::builder(server.confidential())
        .validate_in_background(true)
        .build();
    let handle = user(&session, None).await;
    while server.asked().len() < 3 {
        tokio::task::yield_now().await;
    }
    drop((handle, session));
    let mut before = server.clock.sleeps().len();
    loop {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let after = server.clock.sleeps().len();
        if after == before {
            break;
        }
        before = after;
    }
}

#[tokio::test]
async fn validate_asks_now() {
    let server = Server::of([
        validation(),
        fixture("validate.invalid.401"),
        granted("new", "rt2"),
        validation(),
    ])
    .await;
    let session = Session::new(server.confidential());
    let handle = user(&session, Some("rt")).await;
    assert_eq!(handle.validate().await.unwrap().login(), Some("twitchdev"));
    assert_eq!(handle.validate().await.unwrap().user_id(), Some("1"));
    assert_eq!(text(&handle).await, "new");
    assert_eq!(paths(&server), [VALIDATE, VALIDATE, TOKEN, VALIDATE]);
}

#[tokio::test]
async fn nothing_that_is_printed_has_a_token_in_it() {
    let server = Server::of([validation()]).await;
    let session = Session::new(server.confidential());
    let planted = TokenSet::new(AccessToken::new("planted-access").unwrap(), now())
        .with_refresh_token(Some(RefreshToken::new("planted-refresh").unwrap()));
    let handle = session.register(&planted).await.unwrap();
    let token = handle.token().await.unwrap();
    let printed = format!(
        "{session:?} {handle:?} {token:?} {:?}",
        handle.headers().await
    );
    assert!(!printed.contains("planted"), "{printed}");
}
