//! Servers that are set up in ways that would lose records, or let nobody in.

use oauth_core::store::{StoreErrorKind, TokenStore};
use oauth_store::Plaintext;
use test_servers::RedisServer;

use super::{builder, owner, record, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_keys_is_refused_unless_allowed() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = RedisServer::with(&["--maxmemory-policy", policy]).unwrap();
        let error = builder(&server.url()).connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("maxmemory-policy"), "{error}");
        builder(&server.url())
            .allow_eviction()
            .connect()
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_keeps_what_it_has_and_says_so() {
    let server = RedisServer::with(&["--maxmemory", "3mb"]).unwrap();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let whole = record(&"x".repeat(65_536));
    let mut kept = 0;
    let error = loop {
        match store
            .save(&owner(&kept.to_string()), &whole, None, None)
            .await
        {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(kept > 0, "{error:?}");
    for user in 0..kept {
        let stored = store.load(&owner(&user.to_string())).await.unwrap();
        assert_eq!(stored.expect("it is kept").record, whole);
    }
    assert!(store.remove(&owner("0")).await.unwrap());
    assert!(store.remove(&owner("1")).await.unwrap());
    store
        .save(&owner("new"), &record("a"), None, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_and_used() {
    let server = RedisServer::with(&["--requirepass", "hush"]).unwrap();
    let with = |password: &str| {
        server
            .url()
            .replace("redis://", &format!("redis://:{password}@"))
    };
    let store = Plaintext::new(builder(&with("hush")).connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    for url in [server.url(), with("hush-hush")] {
        let error = builder(&url).connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
    assert!(!format!("{:?}", builder(&with("hush"))).contains("hush"));
    assert!(!format!("{store:?}").contains("hush"));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_with_few_rights_are_enough_or_told_so() {
    let few = "user few on >hush ~{oauth}:* +@hash +@sortedset +@scripting +@string +del +pexpire \
        +time +ping +hello +client";
    let none = "user none on >hush ~other:* +@all";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.acl");
    std::fs::write(
        &file,
        format!("{few}\n{none}\nuser default on nopass ~* +@all\n"),
    )
    .unwrap();
    let server = RedisServer::with(&["--aclfile", file.to_str().unwrap()]).unwrap();
    let with = |user: &str| {
        server
            .url()
            .replace("redis://", &format!("redis://{user}:hush@"))
    };

    // It may ask neither INFO nor CONFIG, and works.
    let store = Plaintext::new(builder(&with("few")).connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    let lease = store.lease("name", super::LIMIT).await.unwrap().unwrap();
    store.release(lease).await.unwrap();
    assert_eq!(store.clear().await.unwrap(), 1);

    let error = builder(&with("none")).connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
    // A right that was taken away later.
    let store = Plaintext::new(builder(&with("few")).connect().await.unwrap());
    server
        .command(&["ACL", "SETUSER", "few", "resetkeys", "~other:*"])
        .unwrap();
    let error = store.load(&owner("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
    let error = store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_later_version_are_refused_and_those_without_one_are_ours() {
    let server = server();
    let schema = "{oauth}:schema";
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    assert_eq!(server.command(&["GET", schema]).unwrap(), "1");
    server.command(&["DEL", schema]).unwrap();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    assert!(store.load(&owner("a")).await.unwrap().is_some());
    assert_eq!(server.command(&["GET", schema]).unwrap(), "1");

    for (later, prefix, refused) in [("2", "oauth", true), ("2", "other", false)] {
        server.command(&["SET", schema, later]).unwrap();
        let opened = builder(&server.url()).prefix(prefix).connect().await;
        assert_eq!(opened.is_err(), refused, "{prefix}: {opened:?}");
        if let Err(error) = opened {
            assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error}");
        }
    }
    server.command(&["SET", schema, "a text"]).unwrap();
    let error = builder(&server.url()).connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_clusters_and_nonsense_are_refused() {
    let primary = server();
    let port = primary.port().to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).unwrap();
    let cluster = RedisServer::with(&["--cluster-enabled", "yes"]).unwrap();
    for url in [
        replica.url(),
        cluster.url(),
        "redis://:hush@[".to_owned(),
        "postgres://127.0.0.1".to_owned(),
    ] {
        let error = builder(&url).connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
    for prefix in ["", "a{b", "}"] {
        let error = builder(&primary.url()).prefix(prefix).connect().await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_are_unreadable_and_hide_no_others() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    for user in ["a", "b", "c", "d"] {
        store
            .save(&owner(user), &record(user), None, None)
            .await
            .unwrap();
    }
    let key =
        |user: &str| format!(r#"{{oauth}}:record:["https://id.example.com","client","{user}"]"#);
    server
        .command(&["HSET", &key("a"), "body", "rubbish"])
        .unwrap();
    server.command(&["HDEL", &key("b"), "version"]).unwrap();
    server.command(&["SET", &key("c"), "a text"]).unwrap();
    server
        .command(&["ZADD", "{oauth}:owners", "0", "rubbish"])
        .unwrap();
    for user in ["a", "b", "c"] {
        let error = store.load(&owner(user)).await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Unreadable,
            "{user}: {error:?}"
        );
    }
    let error = store
        .save(&owner("c"), &record("c"), None, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{error:?}");
    assert!(store.load(&owner("d")).await.unwrap().is_some());
    assert_eq!(store.owners(None, 9).await.unwrap().len(), 4);
    assert!(store.remove(&owner("c")).await.unwrap());
    store
        .save(&owner("c"), &record("c"), None, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_grow_when_the_server_has_lost_all() {
    let server = server();
    let store = Plaintext::new(builder(&server.url()).connect().await.unwrap());
    let first = store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    let lease = store.lease("name", super::LIMIT).await.unwrap().unwrap();
    server.command(&["FLUSHALL"]).unwrap();
    let again = store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    assert!(first.get() < again.get(), "{first:?} {again:?}");
    let newer = store.lease("name", super::LIMIT).await.unwrap().unwrap();
    assert!(lease.fence() < newer.fence(), "{lease:?} {newer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("openssl")
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
        .args(["-keyout", "key", "-out", "certificate"])
        .current_dir(folder.path())
        .output()
        .expect("openssl; install the Debian package openssl");
    assert!(made.status.success(), "{made:?}");
    let [key, certificate] =
        ["key", "certificate"].map(|name| folder.path().join(name).to_string_lossy().into_owned());
    let tls_port = test_servers::free_port().unwrap().to_string();
    let _server = RedisServer::with(&[
        "--tls-port",
        &tls_port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ])
    .unwrap();
    let pem = std::fs::read(&certificate).unwrap();
    let url = format!("rediss://localhost:{tls_port}");
    let trusting = builder(&url).root_certificates(pem.clone()).connect().await;
    let store = Plaintext::new(trusting.unwrap());
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();

    // Not one of the operating system's; not this name; no certificate at all.
    let other_name = url.replace("localhost", "127.0.0.1");
    for builder in [
        builder(&url),
        builder(&other_name).root_certificates(pem),
        builder(&url).root_certificates("nothing"),
    ] {
        let error = builder.connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error:?}");
    }
}
