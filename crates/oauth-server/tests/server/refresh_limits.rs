//! The grace window, the idle limit, and the end of a refresh token's grant.

use std::time::Duration;

use oauth_server::ErrorCode::{InvalidGrant, InvalidScope};
use oauth_server::{AuthorizationServer, RefreshRotation};

use crate::support::{World, app, as_client, assert_refused, world_with};

const GRACE: u64 = 10;

fn with_grace() -> World {
    world_with(|it| it.refresh_grace(Duration::from_secs(GRACE)))
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let world = with_grace();
    let first = world.login().await.refresh_token().unwrap().to_owned();
    let lost = world.refresh(&first).await.unwrap();
    let stored = format!("{} {}", world.tokens.dump(), world.codes.dump());
    world.advance(GRACE - 1);
    let again = world.refresh(&first).await.unwrap();
    assert_eq!(again.refresh_token(), lost.refresh_token(), "no branch");
    assert_ne!(again.access_token(), lost.access_token());
    for token in [lost.access_token(), again.access_token()] {
        assert!(world.is_live(token).await);
        assert!(!stored.contains(token));
    }
    assert!(
        !stored.contains(lost.refresh_token().unwrap()),
        "only sealed"
    );

    // A fault of the request is no reuse within the window.
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.as_str()),
        ("scope", "admin"),
    ];
    assert_refused(world.token(&fields).await, 400, InvalidScope);
    let stranger = world.server.token(&as_client("other", &fields[..2])).await;
    assert_refused(stranger, 400, InvalidGrant);
    world.refresh(again.refresh_token().unwrap()).await.unwrap();
}

#[tokio::test]
async fn after_the_window_it_is_a_reuse() {
    let world = with_grace();
    let first = world.login().await.refresh_token().unwrap().to_owned();
    let second = world.refresh(&first).await.unwrap();
    world.advance(GRACE);
    assert_refused(world.refresh(&first).await, 400, InvalidGrant);
    assert!(!world.is_live(second.access_token()).await);
    let dead = world.refresh(second.refresh_token().unwrap()).await;
    assert_refused(dead, 400, InvalidGrant);
}

#[tokio::test]
async fn a_used_successor_ends_the_window() {
    let world = with_grace();
    let first = world.login().await.refresh_token().unwrap().to_owned();
    let second = world.refresh(&first).await.unwrap();
    let third = world
        .refresh(second.refresh_token().unwrap())
        .await
        .unwrap();
    assert_refused(world.refresh(&first).await, 400, InvalidGrant);
    assert!(!world.is_live(third.access_token()).await);
}

#[tokio::test]
async fn a_client_has_a_window_of_its_own() {
    let world = with_grace();
    let without = app("app").refresh_grace(Duration::ZERO);
    world.clients.insert(without.build().unwrap());
    let first = world.login().await.refresh_token().unwrap().to_owned();
    world.refresh(&first).await.unwrap();
    assert_refused(world.refresh(&first).await, 400, InvalidGrant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_share_one_successor() {
    let world = with_grace();
    let first = world.login().await.refresh_token().unwrap().to_owned();
    let requests = (0..50).map(|_| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &*first)];
        let (server, request) = (world.server.clone(), as_client("app", &fields));
        tokio::spawn(async move { server.token(&request).await.unwrap() })
    });
    let mut successors = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        let tokens = request.await.unwrap();
        assert!(world.is_live(tokens.access_token()).await);
        successors.push(tokens.refresh_token().unwrap().to_owned());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let dump = world.tokens.dump();
    let stored = dump["refresh_tokens"].as_array().unwrap();
    let live = stored.iter().filter(|it| it["consumed"] == false).count();
    assert_eq!((stored.len(), live), (2, 1));
}

#[tokio::test]
async fn idleness_ends_it_and_use_prolongs_it_up_to_the_end_of_the_grant() {
    let limits = |it: oauth_server::AuthorizationServerBuilder| {
        it.refresh_token_idle_lifetime(Duration::from_secs(100))
            .refresh_token_lifetime(Duration::from_secs(250))
    };
    for rotation in [RefreshRotation::Rotate, RefreshRotation::Keep] {
        let world = world_with(limits);
        let client = app("app").refresh_rotation(rotation);
        world.clients.insert(client.build().unwrap());
        let idle = world.login().await.refresh_token().unwrap().to_owned();
        let mut used = world.login().await.refresh_token().unwrap().to_owned();
        for _ in 0..2 {
            world.advance(99);
            let tokens = world.refresh(&used).await.unwrap();
            used = tokens.refresh_token().unwrap().to_owned();
        }
        assert_refused(world.refresh(&idle).await, 400, InvalidGrant);
        world.advance(52);
        assert_refused(world.refresh(&used).await, 400, InvalidGrant);
    }
}

#[tokio::test]
async fn a_client_has_lifetimes_of_its_own() {
    let world = world_with(|it| it.refresh_token_idle_lifetime(Duration::from_secs(1_000)));
    let client = app("app").refresh_token_idle_lifetime(Duration::from_secs(10));
    world.clients.insert(client.build().unwrap());
    let token = world.login().await.refresh_token().unwrap().to_owned();
    world.advance(10);
    assert_refused(world.refresh(&token).await, 400, InvalidGrant);
}

#[test]
fn limits_out_of_range_are_refused() {
    let long = Duration::from_secs(61);
    assert!(app("app").refresh_grace(long).build().is_err());
    assert!(
        app("app")
            .refresh_token_idle_lifetime(Duration::ZERO)
            .build()
            .is_err()
    );
    assert!(
        app("app")
            .authorization_code_lifetime(long * 10)
            .build()
            .is_err()
    );
    let server = || AuthorizationServer::builder("https://auth.example");
    assert!(server().refresh_grace(long).build().is_err());
    assert!(
        server()
            .refresh_token_idle_lifetime(Duration::ZERO)
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn what_has_ended_is_cleared_away_a_few_at_a_time() {
    let world = world_with(|it| it.refresh_token_lifetime(Duration::from_secs(4_000)));
    for _ in 0..20 {
        world.login().await;
    }
    assert_eq!(world.server.purge(1_000).await.unwrap(), 0, "all live");
    world.advance(3_600);
    assert_eq!(world.server.purge(15).await.unwrap(), 15);
    assert_eq!(world.server.purge(15).await.unwrap(), 5);
    world.advance(400);
    assert_eq!(world.server.purge(100).await.unwrap(), 20);
    assert_eq!(world.server.purge(100).await.unwrap(), 0);
}

/// Issuances clear away more than they add, so what is stored follows the lifetimes.
#[tokio::test]
async fn a_busy_server_stays_as_small_as_what_lives() {
    let world = world_with(|it| {
        it.refresh_token_lifetime(Duration::from_secs(60))
            .access_token_lifetime(Duration::from_secs(60))
            .secret_cost(oauth_server::SecretCost::LOW)
    });
    let fields = [("grant_type", "client_credentials")];
    let mut most = 0;
    for _ in 0..600 {
        world.token(&fields).await.unwrap();
        world.advance(1);
        let stored = world.tokens.dump()["access_tokens"]
            .as_array()
            .unwrap()
            .len();
        most = most.max(stored);
    }
    // What has ended is cleared away with every eighth.
    assert!(most <= 60 + 8, "{most}");
}
