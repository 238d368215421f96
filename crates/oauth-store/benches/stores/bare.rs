//! The drivers alone: a row by its key, replaced if its version is still the same.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use async_trait::async_trait;
use oauth_core::store::Record;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::{OWNERS, Subject, ours};

/// The bytes of the same record that the stores keep, and the versions saved last.
struct Rows {
    body: Vec<u8>,
    versions: Vec<AtomicU64>,
}

impl Rows {
    fn new() -> Self {
        let record: Record = ours::record(3600);
        Self {
            body: record.to_json().expose_secret().as_bytes().to_vec(),
            versions: (0..OWNERS).map(|_| AtomicU64::new(1)).collect(),
        }
    }

    fn version(&self, id: usize) -> u64 {
        self.versions[id].load(Ordering::Relaxed)
    }

    fn keep(&self, id: usize, version: u64) {
        self.versions[id].store(version, Ordering::Relaxed);
    }
}

pub(super) struct Postgres {
    pool: deadpool_postgres::Pool,
    rows: Rows,
}

impl Postgres {
    pub(super) async fn new(url: &str) -> Self {
        let manager = deadpool_postgres::Manager::new(url.parse().unwrap(), tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(16)
            .build()
            .unwrap();
        let rows = Rows::new();
        let client = pool.get().await.unwrap();
        let table = "CREATE TABLE bare (id text PRIMARY KEY, version bigint, refresh_at bigint, \
            dead_at bigint, body bytea); CREATE SEQUENCE number START 2; \
            CREATE INDEX ON bare (refresh_at); CREATE INDEX ON bare (dead_at)";
        client.batch_execute(table).await.unwrap();
        for id in 0..OWNERS {
            let insert = "INSERT INTO bare VALUES ($1, 1, 1000, NULL, $2)";
            client
                .execute(insert, &[&name(id), &rows.body])
                .await
                .unwrap();
        }
        drop(client);
        Self { pool, rows }
    }
}

#[async_trait]
impl Subject for Postgres {
    async fn load(&self, id: usize) {
        let client = self.pool.get().await.unwrap();
        let select = "SELECT version, body, refresh_at, dead_at FROM bare WHERE id = $1";
        let select = client.prepare_cached(select).await.unwrap();
        let row = client.query_one(&select, &[&name(id)]).await.unwrap();
        assert_eq!(row.get::<_, Vec<u8>>(1), self.rows.body);
    }

    async fn save(&self, id: usize) {
        let client = self.pool.get().await.unwrap();
        let update = "UPDATE bare SET version = nextval('number'), body = $3, refresh_at = $4 \
            WHERE id = $1 AND version = $2 RETURNING version";
        let update = client.prepare_cached(update).await.unwrap();
        let version = i64::try_from(self.rows.version(id)).unwrap();
        let row = client
            .query_one(&update, &[&name(id), &version, &self.rows.body, &version])
            .await
            .unwrap();
        self.rows.keep(id, row.get::<_, i64>(0).unsigned_abs());
    }
}

pub(super) struct Redis {
    link: redis::aio::ConnectionManager,
    save: redis::Script,
    rows: Rows,
}

impl Redis {
    pub(super) async fn new(url: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        let mut link = redis::aio::ConnectionManager::new(client).await.unwrap();
        let rows = Rows::new();
        for id in 0..OWNERS {
            let mut insert = redis::cmd("HSET");
            insert
                .arg(name(id))
                .arg("version")
                .arg(1)
                .arg("body")
                .arg(&rows.body);
            insert.exec_async(&mut link).await.unwrap();
        }
        let save = redis::Script::new(
            "if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end \
            local version = redis.call('INCR', KEYS[2]) \
            redis.call('HSET', KEYS[1], 'version', version, 'body', ARGV[2]) \
            redis.call('ZADD', KEYS[3], ARGV[1], KEYS[1]) \
            return version",
        );
        Self { link, save, rows }
    }
}

#[async_trait]
impl Subject for Redis {
    async fn load(&self, id: usize) {
        let mut load = redis::cmd("HMGET");
        load.arg(name(id)).arg("version").arg("body");
        let row: (u64, Vec<u8>) = load.query_async(&mut self.link.clone()).await.unwrap();
        assert_eq!(row.1, self.rows.body);
    }

    async fn save(&self, id: usize) {
        let mut save = self.save.key(name(id));
        save.key("number")
            .key("due")
            .arg(self.rows.version(id))
            .arg(&self.rows.body);
        let version: u64 = save.invoke_async(&mut self.link.clone()).await.unwrap();
        assert!(version > 0);
        self.rows.keep(id, version);
    }
}

type Work = Box<dyn FnOnce(&rusqlite::Connection) + Send>;

/// One thread that writes and one that reads, as SQLite has it.
pub(super) struct Sqlite {
    reader: mpsc::Sender<Work>,
    writer: mpsc::Sender<Work>,
    rows: Rows,
}

impl Sqlite {
    pub(super) fn new(path: &Path) -> Self {
        let rows = Rows::new();
        let sql = rusqlite::Connection::open(path).unwrap();
        sql.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE bare (id TEXT PRIMARY KEY, version INTEGER, \
            refresh_at INTEGER, dead_at INTEGER, body BLOB); CREATE INDEX a ON bare (refresh_at); \
            CREATE INDEX b ON bare (dead_at)",
        )
        .unwrap();
        for id in 0..OWNERS {
            let insert = "INSERT INTO bare VALUES (?, 1, 1000, NULL, ?)";
            sql.execute(insert, (name(id), &rows.body)).unwrap();
        }
        Self {
            reader: worker(path),
            writer: worker(path),
            rows,
        }
    }
}

fn worker(path: &Path) -> mpsc::Sender<Work> {
    let sql = rusqlite::Connection::open(path).unwrap();
    sql.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON")
        .unwrap();
    let (sender, work) = mpsc::channel::<Work>();
    thread::spawn(move || work.into_iter().for_each(|work| work(&sql)));
    sender
}

async fn on<T: Send + 'static>(
    worker: &mpsc::Sender<Work>,
    work: impl FnOnce(&rusqlite::Connection) -> T + Send + 'static,
) -> T {
    let (sender, answer) = oneshot::channel();
    let work = move |sql: &rusqlite::Connection| drop(sender.send(work(sql)));
    worker.send(Box::new(work)).unwrap();
    answer.await.unwrap()
}

#[async_trait]
impl Subject for Sqlite {
    async fn load(&self, id: usize) {
        let body: Vec<u8> = on(&self.reader, move |sql| {
            let select = "SELECT version, refresh_at, dead_at, body FROM bare WHERE id = ?";
            let mut select = sql.prepare_cached(select).unwrap();
            select.query_row([name(id)], |row| row.get(3)).unwrap()
        })
        .await;
        assert_eq!(body, self.rows.body);
    }

    async fn save(&self, id: usize) {
        let (version, body) = (self.rows.version(id), self.rows.body.clone());
        let changed = on(&self.writer, move |sql| {
            let update = "UPDATE bare SET version = version + 1, body = ?3, refresh_at = ?2 \
                WHERE id = ?1 AND version = ?2";
            let mut update = sql.prepare_cached(update).unwrap();
            update
                .execute((name(id), version.cast_signed(), body))
                .unwrap()
        })
        .await;
        assert_eq!(changed, 1);
        self.rows.keep(id, version + 1);
    }
}

fn name(id: usize) -> String {
    format!("[\"https://id.example.com\",\"client\",\"user-{id:07}\"]")
}
