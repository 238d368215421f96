//! The session: a token for each set of scopes, renewed once for everybody.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moov::{
    AccountId, AccountScope, Client, ErrorKind, RevokeAccessToken, Scope, Session, Token,
    oauth_core::{
        self, RefreshToken, Scopes,
        clock::ManualClock,
        store::{MemoryStore, Subject, TokenStore},
    },
};
use oauth_emulators::Emulator;

use crate::support::{Reply, Server, at, reply};

fn granted(number: usize) -> Reply {
    let body = format!(
        r#"{{"access_token":"access-{number}","refresh_token":"refresh-{number}","token_type":"Bearer","expires_in":900}}"#
    );
    reply(200, body)
}

fn session(server: &Server) -> (Session, ManualClock) {
    let (client, clock) = server.timed();
    (Session::new(client.build().unwrap()), clock)
}

fn account(last: char) -> AccountId {
    format!("c520f1b9-0ba7-42f5-b977-248cdbe41c6{last}")
        .parse()
        .unwrap()
}

/// What went to the token endpoint, by grant type, and everything else by its line.
fn order(server: &Server) -> Vec<String> {
    let name = |line: &str, body: &str| match line {
        "POST /oauth2/token" if body.contains(r#""refresh_token":""#) => "refresh".to_owned(),
        "POST /oauth2/token" => "create".to_owned(),
        line => line.to_owned(),
    };
    let seen = server.seen();
    seen.iter()
        .map(|seen| name(&seen.line, &seen.body))
        .collect()
}

#[tokio::test]
async fn each_account_has_a_token_of_its_own() {
    let server = Server::start((1..=2).map(granted)).await;
    let (session, _) = session(&server);
    let (one, other) = (
        AccountScope::CardsRead.of(&account('1')),
        AccountScope::CardsRead.of(&account('2')),
    );
    for _ in 0..2 {
        let first = session.create_access_token(one.clone()).await.unwrap();
        assert_eq!(first.expose_secret(), "access-1");
        let second = session.create_access_token(other.clone()).await.unwrap();
        assert_eq!(second.expose_secret(), "access-2");
        assert_eq!(second.scopes(), &Scopes::from(other.clone()));
    }
    assert_eq!(order(&server), ["create", "create"]);
    assert!(server.seen()[1].body.contains(other.as_str()));
}

#[tokio::test]
async fn fewer_scopes_are_a_token_of_their_own() {
    let server = Server::start((1..=2).map(granted)).await;
    let (session, _) = session(&server);
    let both: Scopes = [Scope::accounts_read(), Scope::ping_read()]
        .into_iter()
        .collect();
    session.create_access_token(both).await.unwrap();
    let one = session
        .create_access_token(Scope::ping_read())
        .await
        .unwrap();
    assert_eq!(one.expose_secret(), "access-2");
    assert_eq!(order(&server), ["create", "create"], "Moov cannot narrow");
}

#[tokio::test]
async fn the_headers_of_a_call_are_all_there() {
    let server = Server::start([granted(1)]).await;
    let client = server
        .builder()
        .version("v2026.07.00".parse().unwrap())
        .build()
        .unwrap();
    let handle = Session::new(client).scopes(Scope::ping_read());
    let mut headers = http::HeaderMap::new();
    headers.insert("referer", "https://elsewhere.example".parse().unwrap());
    handle.authorize(&mut headers).await.unwrap();
    assert_eq!(headers["authorization"], "Bearer access-1");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["origin"], "https://example.com");
    assert_eq!(headers["x-moov-version"], "v2026.07.00");
    assert!(!headers.contains_key("referer"), "exactly one of the two");
}

#[tokio::test]
async fn refresh_comes_first_and_the_key_pair_after_a_refusal() {
    for (refusal, way) in [
        (granted(2), &["create", "refresh"][..]),
        (
            reply(422, r#"{"refresh_token":"is expired"}"#),
            &["create", "refresh", "create"],
        ),
        (
            reply(400, r#"{"error":"the refresh token was used"}"#),
            &["create", "refresh", "create"],
        ),
        (reply(400, ""), &["create", "refresh", "create"]),
    ] {
        let server = Server::start([granted(1), refusal.clone(), granted(3)]).await;
        let (session, clock) = session(&server);
        let handle = session.scopes(Scope::ping_read());
        handle.token().await.unwrap();
        clock.advance(Duration::from_secs(900));
        let token = handle.token().await.unwrap();
        let expected = if way.len() == 2 {
            "access-2"
        } else {
            "access-3"
        };
        assert_eq!(token.expose_secret(), expected, "{refusal:?}");
        assert_eq!(order(&server), way, "{refusal:?}");
        assert!(server.seen()[1].body.contains("refresh-1"));
    }
}

#[tokio::test]
async fn a_failure_for_another_reason_costs_no_refresh_token() {
    for (status, body) in [
        (429, ""),
        (500, ""),
        (504, ""),
        (422, r#"{"scope":"is not yours"}"#),
        (400, r#"{"error":"invalid_client"}"#),
    ] {
        let server = Server::start([granted(1), reply(status, body), granted(2)]).await;
        let (session, clock) = session(&server);
        let handle = session.scopes(Scope::ping_read());
        handle.token().await.unwrap();
        clock.advance(Duration::from_secs(900));
        assert!(handle.token().await.is_err());
        clock.advance(Duration::from_secs(60));
        assert_eq!(handle.token().await.unwrap().expose_secret(), "access-2");
        assert_eq!(
            order(&server),
            ["create", "refresh", "refresh"],
            "{status} {body}"
        );
        assert!(server.seen()[2].body.contains("refresh-1"));
    }
}

#[tokio::test]
async fn a_401_renews_once() {
    let dead = || reply(401, "");
    let server = Server::start([granted(1), dead(), granted(2), reply(200, "{}")]).await;
    let (session, _) = session(&server);
    let handle = session.scopes(Scope::accounts_read());
    let request = || {
        http::Request::get(format!("{}/accounts", server.base_url()))
            .body(Bytes::new())
            .unwrap()
    };
    assert_eq!(handle.send(request()).await.unwrap().status(), 200);
    let way = ["create", "GET /accounts", "refresh", "GET /accounts"];
    assert_eq!(order(&server), way);
    for (index, token) in [(1, "Bearer access-1"), (3, "Bearer access-2")] {
        let seen = &server.seen()[index];
        assert_eq!(seen.header("authorization"), Some(token));
        assert_eq!(seen.header("origin"), Some("https://example.com"));
    }

    let server = Server::start([granted(1), dead(), granted(2), dead()]).await;
    let (session, _) = self::session(&server);
    let request = http::Request::post(format!("{}/transfers", server.base_url()))
        .body(Bytes::new())
        .unwrap();
    let error = session
        .scopes(Scope::accounts_read())
        .send(request)
        .await
        .unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 401);
    assert_eq!(server.seen().len(), 4, "not twice");

    let elsewhere = http::Request::get("http://127.0.0.1:9/accounts")
        .body(Bytes::new())
        .unwrap();
    let error = session
        .scopes(Scope::accounts_read())
        .send(elsewhere)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn when_moov_refuses_every_token_not_every_call_renews() {
    let dead = || reply(401, "");
    let mut script = vec![granted(1), dead(), granted(2), dead()];
    script.extend([dead(), dead(), dead(), granted(3), dead()]);
    let server = Server::start(script).await;
    let (session, clock) = session(&server);
    for call in 0..4 {
        if call == 3 {
            clock.advance(Duration::from_secs(60));
        }
        let request = http::Request::get(format!("{}/accounts", server.base_url()))
            .body(Bytes::new())
            .unwrap();
        // Each with a handle of its own.
        let refused = session.scopes(Scope::accounts_read()).send(request).await;
        assert_eq!(refused.unwrap_err().status().unwrap().as_u16(), 401);
    }
    let get = "GET /accounts";
    let expected = ["create", get, "refresh", get, get, get, get, "refresh", get];
    assert_eq!(order(&server), expected);
}

#[tokio::test]
async fn without_scopes_nothing_is_sent() {
    let server = Server::start([granted(1)]).await;
    let (session, _) = session(&server);
    let error = session
        .create_access_token(Scopes::empty())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let open = Scopes::parse("/accounts/{accountID}/cards.read").unwrap();
    let error = session.create_access_token(open).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_an_ended_token_make_one_request() {
    let server = Server::start((1..=3).map(granted)).await;
    let store = MemoryStore::new();
    let (client, clock) = server.timed();
    let session = Session::builder(client.build().unwrap())
        .store(store.clone())
        .build();
    let handle = session.scopes(Scope::ping_read());
    handle.token().await.unwrap();
    clock.advance(Duration::from_secs(900));
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.create_access_token(Scope::ping_read()).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-2");
    }
    assert_eq!(order(&server), ["create", "refresh"]);
    let owner = session.tokens().owner(&Subject::Client);
    let stored = store.load(&owner).await.unwrap().unwrap();
    let kept = stored.record.tokens()[0].token.refresh_token();
    assert_eq!(kept.map(RefreshToken::expose_secret), Some("refresh-2"));
}

#[tokio::test]
async fn what_is_revoked_is_gone_here_and_there() {
    let server = Server::start([granted(1), reply(204, ""), reply(204, ""), granted(2)]).await;
    let (session, _) = session(&server);
    let handle = session.scopes(Scope::ping_read());
    handle.token().await.unwrap();
    handle.revoke().await.unwrap();
    let seen = server.seen();
    assert!(seen[1].body.contains("refresh-1") && seen[2].body.contains("access-1"));
    assert_eq!(handle.token().await.unwrap().expose_secret(), "access-2");

    let server = Server::start([granted(1), reply(500, "")]).await;
    let (session, _) = self::session(&server);
    session
        .create_access_token(Scope::ping_read())
        .await
        .unwrap();
    let error = session.revoke_all().await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 500);
    assert!(session.tokens().is_empty(), "not here, whatever Moov says");
}

#[tokio::test]
async fn the_whole_way_against_the_emulator() {
    let emulator = Emulator::moov().start().await.unwrap();
    let clock = ManualClock::at(emulator.clock().now());
    let client = Client::builder(emulator.client_id(), emulator.client_secret())
        .origin("https://example.com")
        .base_url(emulator.base_url())
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    let session = Session::new(client.clone());
    let handle = session.scopes(Scope::ping_read());
    let ping = || {
        http::Request::get(format!("{}/ping", emulator.base_url()))
            .body(Bytes::new())
            .unwrap()
    };
    handle.send(ping()).await.unwrap();
    // Refreshed, several times, as time goes by on both sides.
    for _ in 0..3 {
        let before = handle.token().await.unwrap();
        let day = Duration::from_secs(3600);
        clock.advance(day);
        emulator.clock().advance(day);
        handle.send(ping()).await.unwrap();
        let after = handle.token().await.unwrap();
        assert_ne!(before.expose_secret(), after.expose_secret());
    }
    // Somebody revokes both: the key pair brings another.
    let token = handle.token().await.unwrap().token_set();
    let refresh_token = token.refresh_token().unwrap();
    for request in [
        RevokeAccessToken::access_token(token.access_token()),
        RevokeAccessToken::refresh_token(refresh_token),
    ] {
        client.revoke_access_token(request).await.unwrap();
    }
    handle.send(ping()).await.unwrap();
    assert_ne!(
        handle.token().await.unwrap().expose_secret(),
        token.access_token().expose_secret()
    );
}

#[tokio::test]
async fn a_token_from_elsewhere_is_kept_and_nothing_shows_it() {
    let server = Server::start([granted(2)]).await;
    let (session, _) = session(&server);
    let token = oauth_core::TokenSet::new(
        oauth_core::AccessToken::new("planted-access").unwrap(),
        at(0),
    )
    .with_scopes(Scope::ping_read().into())
    .with_refresh_token(Some(RefreshToken::new("planted-refresh").unwrap()));
    session.register(token).await.unwrap();
    let handle = session.scopes(Scope::ping_read());
    let token = handle.token().await.unwrap();
    assert_eq!(token.expose_secret(), "planted-access");
    let printed = format!(
        "{session:?} {handle:?} {token:?} {:?}",
        handle.headers().await
    );
    assert!(!printed.contains("planted"), "{printed}");
    assert!(server.seen().is_empty());
}
