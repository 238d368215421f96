//! Tables of other versions, damaged rows, missing rights, TLS.

use std::process::Command;

use oauth_core::store::{StoreErrorKind, TokenStore};
use oauth_store::{Plaintext, postgres::Postgres};

use super::{builder, owner, record, rotation, server};

/// The tables as version 1 made them, with a record of then.
const VERSION_1: &str = r#"
    CREATE SEQUENCE oauth_store_number;
    CREATE TABLE oauth_store_record (id bytea PRIMARY KEY, owner text NOT NULL,
        version bigint NOT NULL, refresh_at bigint, dead_at bigint, body bytea NOT NULL);
    CREATE INDEX oauth_store_record_refresh_at ON oauth_store_record (refresh_at)
        WHERE refresh_at IS NOT NULL;
    CREATE INDEX oauth_store_record_dead_at ON oauth_store_record (dead_at)
        WHERE dead_at IS NOT NULL;
    CREATE TABLE oauth_store_lease (id bytea PRIMARY KEY, fence bigint NOT NULL,
        until timestamptz NOT NULL);
    CREATE INDEX oauth_store_lease_until ON oauth_store_lease (until);
    CREATE TABLE oauth_store_schema (version integer NOT NULL);
    INSERT INTO oauth_store_schema VALUES (1);
    INSERT INTO oauth_store_record VALUES (
        sha256('["https://id.example.com","client","old"]'),
        '["https://id.example.com","client","old"]',
        nextval('oauth_store_number'), NULL, NULL,
        '{"version":1,"tokens":[]}');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn older_tables_are_migrated_and_later_ones_refused() {
    let server = server();
    server.sql(VERSION_1).unwrap();
    // Two at once: one migrates, the other waits for it.
    let url = server.url();
    let (a, b) = tokio::join!(builder(&url).connect(), builder(&url).connect());
    let store = Plaintext::new(a.unwrap());
    b.unwrap();
    let stored = store.load(&owner("old")).await.unwrap().unwrap();
    assert!(stored.record.is_empty());
    let replaces = Some(stored.version);
    store
        .save(&owner("old"), &record("a"), replaces, None)
        .await
        .unwrap();

    server
        .sql("UPDATE oauth_store_schema SET version = 999")
        .unwrap();
    let error = builder(&url).connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_an_empty_database_at_once() {
    let server = server();
    let url = server.url();
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        openers.spawn(builder(&url).connect());
    }
    for opened in openers.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_rows_are_unreadable_and_hide_no_others() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    for user in ["a", "b", "c"] {
        store
            .save(&owner(user), &record(user), None, None)
            .await
            .unwrap();
    }
    server
        .sql(r#"UPDATE oauth_store_record SET body = '\xff00' WHERE owner LIKE '%"a"]'"#)
        .unwrap();
    let error = store.load(&owner("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error}");
    assert!(store.load(&owner("b")).await.unwrap().is_some());

    server
        .sql(r#"UPDATE oauth_store_record SET owner = 'rubbish' WHERE owner LIKE '%"b"]'"#)
        .unwrap();
    let owners = store.owners(None, 9).await.unwrap();
    assert_eq!(owners.len(), 2, "{owners:?}");
    assert!(store.remove(&owner("a")).await.unwrap());

    // A column of another type.
    server
        .sql("ALTER TABLE oauth_store_record ALTER COLUMN key_id TYPE bytea USING NULL")
        .unwrap();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let error = store.load(&owner("c")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_is_told_so() {
    let server = server();
    drop(Postgres::connect(&server.url()).await.unwrap());
    server
        .sql(
            "CREATE ROLE reader LOGIN; CREATE ROLE stranger LOGIN;
            GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        )
        .unwrap();
    for user in ["reader", "stranger", "nobody"] {
        let url = server.url().replace("postgres@", &format!("{user}@"));
        let error = builder(&url).connect().await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Configuration,
            "{user}: {error}"
        );
    }
    let read_only = server.url() + "?options=-cdefault_transaction_read_only%3Don";
    for url in [
        read_only.as_str(),
        &(server.url() + "-missing"),
        "postgres://user:hush@127.0.0.1:hush/",
        "postgres://user:hush@db.example.com/?sslmode=verify-full",
        "mysql://127.0.0.1/",
    ] {
        let error = builder(url).connect().await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Configuration,
            "{url}: {error}"
        );
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }

    // A right that was taken away later.
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    server
        .sql("ALTER ROLE postgres SET default_transaction_read_only = on")
        .unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'oauth-store'").unwrap();
    let error = loop {
        match store.save(&owner("a"), &record("a"), None, None).await {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {}
            answer => break answer.unwrap_err(),
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");
}

/// As docs/operations.md has them, for who may not make tables.
#[tokio::test(flavor = "multi_thread")]
async fn few_rights_are_enough() {
    let server = server();
    drop(Postgres::connect(&server.url()).await.unwrap());
    server
        .sql(
            "CREATE ROLE few LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO few;
            GRANT SELECT ON oauth_store_schema TO few;
            GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_store_record, oauth_store_lease TO few;
            GRANT USAGE ON SEQUENCE oauth_store_number TO few",
        )
        .unwrap();
    let url = server.url().replace("postgres@", "few@");
    let database = builder(&url).connect().await.unwrap();
    rotation::while_in_use(database.clone()).await;
    let store = Plaintext::new(database);
    let lease = store.lease("name", super::LIMIT).await.unwrap();
    store
        .save(&owner("a"), &record("a"), None, lease.as_ref())
        .await
        .unwrap();
    store.release(lease.unwrap()).await.unwrap();
    let now = std::time::SystemTime::now();
    store.due(now, 1).await.unwrap();
    store.purge(now, 1).await.unwrap();
    assert!(store.clear().await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_repeats_no_row() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    server
        .sql("ALTER TABLE oauth_store_record ADD CHECK (length(body) < 10)")
        .unwrap();
    let error = store
        .save(&owner("a"), &record("access-secret"), None, None)
        .await;
    let error = error.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("check constraint"), "{shown}");
    // The server repeats the row, its bytes as hexadecimal digits: these are of `{"v`.
    assert!(!shown.contains("7b2276"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked() {
    let mut server = server();
    let (certificate, key) = ("data/server.crt", "data/server.key");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", key, "-out", certificate])
        .current_dir(server.folder())
        .output()
        .expect("openssl; install the Debian package openssl");
    assert!(made.status.success(), "{made:?}");
    let pem = std::fs::read(server.folder().join(certificate)).unwrap();
    server.own(key).unwrap();

    // A server without TLS is not spoken to in clear.
    let url = server.url().replace("127.0.0.1", "localhost") + "?sslmode=require";
    let trusting = || builder(&url).root_certificates(pem.clone());
    let error = trusting().connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");

    server.sql("ALTER SYSTEM SET ssl = on").unwrap();
    server.restart().unwrap();
    let store = Plaintext::new(trusting().connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    let links = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'oauth-store'";
    assert_eq!(server.sql(links).unwrap(), "t");

    // Not one of the operating system's; not this name.
    let error = builder(&url).connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");
    let other_name = url.replace("localhost", "127.0.0.1");
    let error = builder(&other_name).root_certificates(pem).connect().await;
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Configuration);
}
