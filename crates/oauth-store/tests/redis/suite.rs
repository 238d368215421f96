//! The suite of every token store, in clear and sealed.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use oauth_core::{
    random::OsRandom,
    store::{StoreError, TokenStore, suite},
};
use oauth_store::{Backend, Encrypted, Key, Keys, Plaintext, Protection};
use test_servers::RedisServer;

use super::{
    builder, owner, record,
    rotation::{self, DAMAGED},
    server,
};

/// Each store has a prefix of its own, the beginning of the next ones' too.
#[derive(Debug)]
struct Prefixes {
    server: RedisServer,
    made: AtomicU32,
    keys: Option<Keys>,
}

impl Prefixes {
    fn new(keys: Option<Keys>) -> Arc<Self> {
        Arc::new(Self {
            server: server(),
            made: AtomicU32::new(0),
            keys,
        })
    }
}

#[async_trait]
impl suite::Harness for Prefixes {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let builder = builder(&self.server.url()).prefix("a".repeat(made as usize + 1));
        // A debug build on a busy machine: the limit is not what is tested here.
        let server = builder.time_limit(super::LIMIT * 30).connect().await?;
        Ok(match &self.keys {
            Some(keys) => Arc::new(Encrypted::new(server, keys.clone())),
            None => Arc::new(Plaintext::new(server)),
        })
    }
}

fn key(id: &str) -> Key {
    Key::generate(id, &OsRandom).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_clear() {
    suite::run(Prefixes::new(None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed() {
    suite::run(Prefixes::new(Some(Keys::new(key("first"))))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_in_place() {
    let server = server();
    let database = builder(&server.url()).connect().await.unwrap();
    let (old, new) = (key("old"), key("new"));
    let store = Encrypted::new(database.clone(), Keys::new(old.clone()));
    let version = store
        .save(&owner("a"), &record("access-secret"), None, None)
        .await;
    let version = version.unwrap();
    let row = database.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(row.sealed.key_id.as_deref(), Some("old"));
    assert!(!row.sealed.bytes.windows(6).any(|part| part == b"secret"));

    let both = Encrypted::new(database.clone(), Keys::new(new.clone()).and(old).unwrap());
    assert_eq!(both.rotate(10).await.unwrap().sealed, 1);
    assert_eq!(both.rotate(10).await.unwrap().sealed, 0);
    let row = database.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(row.sealed.key_id.as_deref(), Some("new"));
    // Who was about to replace the record still can.
    let store = Encrypted::new(database, Keys::new(new));
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(
        (stored.record, stored.version),
        (record("access-secret"), version)
    );
    store
        .save(&owner("a"), &record("b"), Some(version), None)
        .await
        .unwrap();
    assert!(
        !both
            .backend()
            .reseal(&owner("a"), &row.sealed, version)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_while_the_store_is_in_use() {
    let server = server();
    rotation::while_in_use(builder(&server.url()).connect().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_names_do_not_end_a_rotation() {
    let server = server();
    let database = builder(&server.url()).connect().await.unwrap();
    rotation::past_damaged_names(database, || {
        for id in 0..DAMAGED {
            // Before, among and after those of the owners.
            let name = format!("{}{id}", ["!", "[\"https://id.example.com\",", "~"][id % 3]);
            for (index, score) in [("owners", "0"), ("due", "1")] {
                let index = format!("{{oauth}}:{index}");
                server.command(&["ZADD", &index, score, &name]).unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_enough() {
    let server = server();
    let store = oauth_store::open(&server.url(), Protection::Plaintext)
        .await
        .unwrap();
    store
        .save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    let other_database = format!("{}/3", server.url());
    let other = oauth_store::open(&other_database, Protection::Plaintext)
        .await
        .unwrap();
    assert!(other.load(&owner("a")).await.unwrap().is_none());

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let socket = socket.to_str().unwrap();
    let _server = test_servers::RedisServer::with(&["--unixsocket", socket]).unwrap();
    let url = format!("unix://{socket}");
    let store = oauth_store::open(&url, Protection::Plaintext)
        .await
        .unwrap();
    assert!(store.load(&owner("a")).await.unwrap().is_none());
}
