//! A server that stops, hangs, or is cut off.

use std::time::Instant;

use oauth_core::store::{StoreError, StoreErrorKind, TokenStore};
use oauth_store::Plaintext;
use test_servers::Proxy;

use super::{LIMIT, builder, owner, record, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again() {
    let mut server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let first = store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();

    server.stop();
    unavailable(store.load(&owner("a")).await);
    unavailable(store.save(&owner("b"), &record("b"), None, None).await);
    unavailable(store.lease("name", LIMIT).await);

    // The first call finds it; the scripts have to be sent again.
    server.restart().unwrap();
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(stored.version, first);
    let second = store
        .save(&owner("a"), &record("b"), Some(first), None)
        .await;
    let second = second.unwrap();

    // What was acknowledged before a crash is there after it.
    server.kill();
    server.restart().unwrap();
    let stored = loop {
        match store.load(&owner("a")).await {
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}"),
            Ok(stored) => break stored.unwrap(),
        }
    };
    assert_eq!(stored.version, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();

    server.freeze();
    let started = Instant::now();
    let (load, save, lease) = tokio::join!(
        async { store.load(&owner("a")).await },
        async { store.save(&owner("b"), &record("b"), None, None).await },
        store.lease("name", LIMIT),
    );
    unavailable(load);
    unavailable(save);
    unavailable(lease);
    // Connecting hangs too.
    let opened = builder(&server.url()).connect().await;
    assert_eq!(opened.unwrap_err().kind(), StoreErrorKind::Unavailable);
    // Twice the limit, and what a busy machine adds.
    assert!(started.elapsed() < LIMIT * 5, "{:?}", started.elapsed());

    server.thaw();
    assert!(store.load(&owner("a")).await.unwrap().is_some());
    store
        .save(&owner("c"), &record("c"), None, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_a_save_is_an_error_and_no_half_record() {
    let server = server();
    let proxy = Proxy::start(server.port()).unwrap();
    let port = server.port().to_string();
    let url = server.url().replace(&port, &proxy.port().to_string());
    let store = Plaintext::new(builder(&url).connect().await.unwrap());
    store
        .save(&owner("warm"), &record("a"), None, None)
        .await
        .unwrap();

    proxy.cut_next(false);
    unavailable(store.save(&owner("before"), &record("a"), None, None).await);
    assert!(store.load(&owner("before")).await.unwrap().is_none());

    // A link that is being made would be what is cut.
    assert!(store.load(&owner("warm")).await.unwrap().is_some());
    proxy.cut_next(true);
    unavailable(store.save(&owner("after"), &record("a"), None, None).await);
    let stored = store.load(&owner("after")).await.unwrap();
    assert_eq!(stored.expect("it was kept").record, record("a"));

    proxy.cut();
    // The driver may not have seen the end yet; the call after the next has.
    let _ = store.load(&owner("warm")).await;
    assert!(store.load(&owner("warm")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_silent_is_replaced() {
    let server = server();
    let proxy = Proxy::start(server.port()).unwrap();
    let port = server.port().to_string();
    let url = server.url().replace(&port, &proxy.port().to_string());
    let store = Plaintext::new(builder(&url).connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();

    // Nothing more gets through on this connection, and nobody is told.
    proxy.silence();
    unavailable(store.load(&owner("a")).await);
    assert!(store.load(&owner("a")).await.unwrap().is_some());
}

/// A clock set back by an hour is to leases what moving them an hour ahead is.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_keeps_nobody_waiting() {
    let server = server();
    let set_back = || {
        for time in ["taken", "until"] {
            let ahead = ["HINCRBY", "{oauth}:lease:name", time, "3600000000"];
            server.command(&ahead).unwrap();
        }
    };
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let hour = LIMIT * 1800;
    let dead = store.lease("name", hour).await.unwrap().unwrap();
    assert_eq!(store.lease("name", hour).await.unwrap(), None);
    set_back();
    let next = store.lease("name", hour).await.unwrap();
    let next = next.expect("the lease is over");
    assert!(next.was_abandoned() && next.fence() > dead.fence());
    let late = store
        .save(&owner("a"), &record("a"), None, Some(&dead))
        .await;
    assert_eq!(late.unwrap_err().kind(), StoreErrorKind::Fenced);

    // One that was given back is free at once, and still known as what it was.
    store.release(next).await.unwrap();
    set_back();
    let next = store.lease("name", hour).await.unwrap().unwrap();
    assert!(next.was_abandoned());
    store.release(next.with_abandoned(false)).await.unwrap();
    set_back();
    let next = store.lease("name", hour).await.unwrap().unwrap();
    assert!(!next.was_abandoned());
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}
