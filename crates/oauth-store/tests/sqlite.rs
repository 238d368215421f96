//! The SQLite store does what every store must.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::{
    clock::{Clock, ManualClock},
    random::OsRandom,
    store::{StoreError, TokenStore, suite},
};
use oauth_store::{Backend, Encrypted, Key, Keys, Plaintext, Sqlite};
use tempfile::TempDir;

/// Stores on new files, sealed or in clear, on the machine's clock or one of the test's.
#[derive(Debug)]
struct Files {
    keys: Option<Keys>,
    clock: Option<ManualClock>,
    folders: Mutex<Vec<TempDir>>,
}

impl Files {
    fn new(keys: Option<Keys>, clock: Option<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            keys,
            clock,
            folders: Mutex::default(),
        })
    }
}

#[async_trait]
impl suite::Harness for Files {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        // A debug build on a busy machine: the limit is not what is tested here.
        let limit = Duration::from_secs(60);
        let mut file = Sqlite::builder(folder.path().join("tokens.db")).time_limit(limit);
        if let Some(clock) = &self.clock {
            file = file.clock(Arc::new(clock.clone()));
        }
        let file = file.open().await?;
        self.folders.lock().unwrap().push(folder);
        Ok(match &self.keys {
            Some(keys) => Arc::new(Encrypted::new(file, keys.clone())),
            None => Arc::new(Plaintext::new(file)),
        })
    }

    async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None => tokio::time::sleep(time).await,
        }
    }

    fn jump(&self, to: SystemTime) {
        if let Some(clock) = &self.clock {
            clock.set(to);
        }
    }
}

fn keys() -> Keys {
    Keys::new(Key::generate("first", &OsRandom).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_clear() {
    suite::run(Files::new(None, None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed() {
    let clock = ManualClock::at(SystemTime::now());
    suite::run(Files::new(Some(keys()), Some(clock))).await;
}

#[tokio::test]
async fn a_lease_of_before_a_restart_of_the_machine_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let hour = Duration::from_secs(3600);
    let clock = ManualClock::at(SystemTime::now());
    clock.advance(10 * hour);
    let before = Sqlite::builder(&path).clock(Arc::new(clock.clone()));
    let before = before.open().await.unwrap();
    let first = before.lease("name", hour).await.unwrap().unwrap();
    assert_eq!(before.lease("name", hour).await.unwrap(), None);

    let restarted = ManualClock::at(clock.now());
    let after = Sqlite::builder(&path).clock(Arc::new(restarted));
    let after = after.open().await.unwrap();
    // Its holder may have died with the machine: that is not forgotten with what is purged.
    after.purge(SystemTime::now(), 1).await.unwrap();
    let second = after.lease("name", hour).await.unwrap().unwrap();
    assert!(second.fence() > first.fence());
    assert!(second.was_abandoned());
}

#[tokio::test]
async fn purge_forgets_leases_that_ran_out_long_ago() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let clock = ManualClock::at(SystemTime::now());
    let store = Sqlite::builder(&path).clock(Arc::new(clock.clone()));
    let store = store.open().await.unwrap();
    let minute = Duration::from_secs(60);
    store.lease("gone", minute).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(2 * 86_400));
    store.lease("held", minute).await.unwrap().unwrap();
    store.purge(SystemTime::now(), 1).await.unwrap();
    let sql = rusqlite::Connection::open(&path).unwrap();
    let names = sql.query_row("SELECT group_concat(name) FROM lease", [], |row| row.get(0));
    assert_eq!(names, Ok("held".to_owned()));
}
