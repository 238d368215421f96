//! A server that stops, hangs, or is cut off.

use std::time::Instant;

use oauth_core::store::{StoreError, StoreErrorKind, TokenStore};
use oauth_store::Plaintext;
use test_servers::{PostgresServer, Proxy};

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

    // The connection is a new one: let it know the statement, so that the next thing it sends is
    // the row.
    store
        .save(&owner("warm again"), &record("a"), None, None)
        .await
        .unwrap();
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
async fn links_that_are_silent_are_replaced() {
    let server = server();
    let proxy = Proxy::start(server.port()).unwrap();
    let port = server.port().to_string();
    let url = server.url().replace(&port, &proxy.port().to_string());
    let store = Plaintext::new(builder(&url).connect().await.unwrap());
    let store = std::sync::Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move { store.load(&owner("a")).await.unwrap() });
    }
    tasks.join_all().await;

    // Nothing more gets through on these connections, and nobody is told. One call finds out.
    proxy.silence();
    unavailable(store.load(&owner("a")).await);
    assert!(store.load(&owner("a")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_for_another_is_given_up_in_time() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let first = store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    while_locked(&server, "oauth_store_record", async {
        let (owner, record) = (owner("a"), record("b"));
        unavailable(store.save(&owner, &record, Some(first), None).await);
    });
    // Neither the client nor the server goes on with it.
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(stored.version, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tasks_than_connections_take_turns() {
    let server = server();
    let store = Plaintext::new(
        builder(&server.url())
            .connections(2)
            .connect()
            .await
            .unwrap(),
    );
    let store = std::sync::Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            let owner = owner(&task.to_string());
            store.save(&owner, &record("a"), None, None).await.unwrap();
            store.load(&owner).await.unwrap().unwrap();
        });
    }
    tasks.join_all().await;
    let links = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oauth-store'";
    assert_eq!(server.sql(links).unwrap(), "2");
}

/// A clock set back by an hour is to leases what moving them an hour ahead is.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_keeps_nobody_waiting() {
    let server = server();
    let set_back = || {
        let ahead = "UPDATE oauth_store_lease SET taken = taken + interval '1 hour', \
            until = until + interval '1 hour'";
        server.sql(ahead).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn opening_ends_within_its_limits() {
    let server = server();
    builder(&server.url()).connect().await.unwrap();
    while_locked(&server, "oauth_store_schema", async {
        // The server would wait as long as it takes.
        let patient = server.url() + "?options=-cstatement_timeout%3D0";
        unavailable(builder(&patient).connect().await);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_waits_for_the_disk_whatever_the_server_says() {
    let server = server();
    server
        .sql("ALTER SYSTEM SET synchronous_commit = off")
        .unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    server
        .sql(
            "CREATE TABLE seen (setting text);
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen VALUES (current_setting('synchronous_commit'));
                RETURN NEW;
            END $$;
            CREATE TRIGGER see AFTER INSERT ON oauth_store_record
                FOR EACH ROW EXECUTE FUNCTION see()",
        )
        .unwrap();
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    assert_eq!(server.sql("SELECT setting FROM seen").unwrap(), "on");
    assert_eq!(server.sql("SHOW synchronous_commit").unwrap(), "off");
}

/// Runs `act` while another connection holds the whole of `table`.
fn while_locked(server: &PostgresServer, table: &str, act: impl Future<Output = ()>) {
    std::thread::scope(|scope| {
        let hold = format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(30); COMMIT");
        let held = scope.spawn(move || server.sql(&hold));
        let locked = format!(
            "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
            AND granted AND relation = '{table}'::regclass"
        );
        while server.sql(&locked).unwrap() == "0" {}
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(act));
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
            WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()";
        server.sql(cancel).unwrap();
        held.join().unwrap().unwrap_err();
    });
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}
