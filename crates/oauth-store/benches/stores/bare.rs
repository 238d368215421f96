//! The drivers alone, with the statements that the stores use, on tables that a store has filled:
//! what is left out is the way from an owner and a record to them and back. As the owners of the
//! stores, the ids, keys and names here are at hand.

use std::{
    path::Path,
    sync::{
        Arc,
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
            versions: (0..OWNERS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn version(&self, id: usize) -> u64 {
        self.versions[id].load(Ordering::Relaxed)
    }

    fn keep(&self, id: usize, version: u64) {
        self.versions[id].store(version, Ordering::Relaxed);
    }
}

/// When the record is due, as a number that a store would write.
const DUE: i64 = 1_900_000_000_000_000;

pub(super) struct Postgres {
    pool: deadpool_postgres::Pool,
    rows: Rows,
    ids: Vec<Vec<u8>>,
}

impl Postgres {
    pub(super) async fn new(url: &str) -> Self {
        let mut config: tokio_postgres::Config = url.parse().unwrap();
        let options = config.get_options().unwrap_or_default();
        let options = format!("-c synchronous_commit=on {options}");
        config.options(options);
        let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(16)
            .build()
            .unwrap();
        let rows = Rows::new();
        let client = pool.get().await.unwrap();
        let mut ids = Vec::new();
        for id in 0..OWNERS {
            let select = "SELECT id, version FROM oauth_store_record WHERE owner = $1";
            let row = client.query_one(select, &[&name(id)]).await.unwrap();
            ids.push(row.get(0));
            rows.keep(id, row.get::<_, i64>(1).unsigned_abs());
        }
        drop(client);
        Self { pool, rows, ids }
    }
}

#[async_trait]
impl Subject for Postgres {
    async fn load(&self, id: usize) {
        let client = self.pool.get().await.unwrap();
        let select = "SELECT version, body, key_id, refresh_at, dead_at \
            FROM oauth_store_record WHERE id = $1";
        let select = client.prepare_cached(select).await.unwrap();
        let row = client.query_one(&select, &[&self.ids[id]]).await.unwrap();
        assert_eq!(row.get::<_, &[u8]>(1).len(), self.rows.body.len());
    }

    async fn save(&self, id: usize) {
        let client = self.pool.get().await.unwrap();
        let update = "WITH newest AS MATERIALIZED (\
                SELECT fence FROM oauth_store_lease WHERE id = $1 FOR SHARE), \
            fenced AS MATERIALIZED (\
                SELECT EXISTS (SELECT 1 FROM newest WHERE fence <> $2) AS yes), \
            written AS (UPDATE oauth_store_record SET \
                body = $4, key_id = $5, refresh_at = $6, dead_at = $7, \
                version = nextval('oauth_store_number') \
                FROM fenced WHERE NOT yes AND id = $3 AND version = $8 RETURNING version) \
            SELECT fenced.yes AS fenced, written.version \
            FROM fenced LEFT JOIN written ON true";
        let update = client.prepare_cached(update).await.unwrap();
        let version = i64::try_from(self.rows.version(id)).unwrap();
        let (none, body) = (None::<i64>, self.rows.body.as_slice());
        let row = client
            .query_one(
                &update,
                &[
                    &None::<&[u8]>,
                    &none,
                    &self.ids[id],
                    &body,
                    &None::<&str>,
                    &Some(DUE),
                    &none,
                    &version,
                ],
            )
            .await
            .unwrap();
        self.rows.keep(id, row.get::<_, i64>(1).unsigned_abs());
    }
}

pub(super) struct Redis {
    link: redis::aio::ConnectionManager,
    save: redis::Script,
    rows: Rows,
    keys: Vec<String>,
    names: Vec<String>,
    /// The other keys of a save.
    others: [String; 5],
}

impl Redis {
    pub(super) async fn new(url: &str, prefix: &'static str) -> Self {
        let client = redis::Client::open(url).unwrap();
        let mut link = redis::aio::ConnectionManager::new(client).await.unwrap();
        let rows = Rows::new();
        let names: Vec<_> = (0..OWNERS).map(name).collect();
        let key = |name: &String| format!("{{{prefix}}}:record:{name}");
        let keys: Vec<_> = names.iter().map(key).collect();
        for (id, key) in keys.iter().enumerate() {
            let mut version = redis::cmd("HGET");
            version.arg(key).arg("version");
            rows.keep(id, version.query_async(&mut link).await.unwrap());
        }
        let save = redis::Script::new(concat!(
            include_str!("../../src/redis/number.lua"),
            include_str!("../../src/redis/save.lua")
        ));
        Self {
            link,
            save,
            rows,
            keys,
            names,
            others: ["lease:", "number", "due", "dead", "owners"]
                .map(|other| format!("{{{prefix}}}:{other}")),
        }
    }
}

#[async_trait]
impl Subject for Redis {
    async fn load(&self, id: usize) {
        let mut load = redis::cmd("HMGET");
        let fields: &[&str] = &["version", "body", "key_id", "refresh_at", "dead_at"];
        load.arg(&self.keys[id]).arg(fields);
        let row: Vec<Option<Vec<u8>>> = load.query_async(&mut self.link.clone()).await.unwrap();
        assert_eq!(row[1].as_ref().unwrap().len(), self.rows.body.len());
    }

    async fn save(&self, id: usize) {
        let mut save = self.save.key(&self.keys[id]);
        for other in &self.others {
            save.key(other);
        }
        save.arg(&self.names[id]).arg(self.rows.version(id)).arg("");
        save.arg(&self.rows.body).arg("").arg(DUE).arg("");
        let version: u64 = save.invoke_async(&mut self.link.clone()).await.unwrap();
        assert!(version > 0);
        self.rows.keep(id, version);
    }
}

type Work = Box<dyn FnOnce(&mut rusqlite::Connection) + Send>;

/// One thread that writes and two that read, the one with less to do, as the store has them.
pub(super) struct Sqlite {
    readers: [Reader; 2],
    writer: mpsc::Sender<Work>,
    rows: Rows,
    users: Vec<Arc<str>>,
}

/// A thread, and how many loads wait for it.
struct Reader {
    thread: mpsc::Sender<Work>,
    load: AtomicU64,
}

impl Reader {
    fn new(path: &Path) -> Self {
        Self {
            thread: worker(path),
            load: AtomicU64::new(0),
        }
    }
}

/// A statement about the record of an owner.
macro_rules! of_record {
    ($select:literal) => {
        concat!(
            $select,
            " FROM record WHERE issuer = ? AND client_id = ? AND kind = ? AND subject = ?"
        )
    };
}

/// The parameters of such a statement, for a user.
fn key(user: &str) -> (&str, &str, i64, &str) {
    ("https://id.example.com", "client", 1, user)
}

impl Sqlite {
    pub(super) fn new(path: &Path) -> Self {
        let rows = Rows::new();
        let sql = rusqlite::Connection::open(path).unwrap();
        let users: Vec<_> = (0..OWNERS).map(user).collect();
        for (id, user) in users.iter().enumerate() {
            let select = of_record!("SELECT version");
            let version = sql.query_row(select, key(user), |row| row.get::<_, i64>(0));
            rows.keep(id, version.unwrap().cast_unsigned());
        }
        Self {
            readers: [Reader::new(path), Reader::new(path)],
            writer: worker(path),
            rows,
            users,
        }
    }
}

fn worker(path: &Path) -> mpsc::Sender<Work> {
    let mut sql = rusqlite::Connection::open(path).unwrap();
    sql.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA secure_delete = FAST; PRAGMA journal_size_limit = 16777216",
    )
    .unwrap();
    let (sender, work) = mpsc::channel::<Work>();
    thread::spawn(move || work.into_iter().for_each(|work| work(&mut sql)));
    sender
}

async fn on<T: Send + 'static>(
    worker: &mpsc::Sender<Work>,
    work: impl FnOnce(&mut rusqlite::Connection) -> T + Send + 'static,
) -> T {
    let (sender, answer) = oneshot::channel();
    let work = move |sql: &mut rusqlite::Connection| drop(sender.send(work(sql)));
    worker.send(Box::new(work)).unwrap();
    answer.await.unwrap()
}

#[async_trait]
impl Subject for Sqlite {
    async fn load(&self, id: usize) {
        let user = Arc::clone(&self.users[id]);
        let [first, second] = &self.readers;
        let loads = [first, second].map(|reader| reader.load.load(Ordering::Relaxed));
        let reader = if loads[0] <= loads[1] { first } else { second };
        reader.load.fetch_add(1, Ordering::Relaxed);
        let row: (i64, Vec<u8>, Option<String>, Option<i64>, Option<i64>) =
            on(&reader.thread, move |sql| {
                let select = of_record!("SELECT version, bytes, key_id, refresh_at, dead_at");
                let mut select = sql.prepare_cached(select).unwrap();
                select.query_row(key(&user), |row| row.try_into()).unwrap()
            })
            .await;
        reader.load.fetch_sub(1, Ordering::Relaxed);
        assert_eq!(row.1.len(), self.rows.body.len());
    }

    async fn save(&self, id: usize) {
        let (version, body) = (self.rows.version(id), self.rows.body.clone());
        let user = Arc::clone(&self.users[id]);
        let saved = on(&self.writer, move |sql| {
            let transaction = sql
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                .unwrap();
            let select = of_record!("SELECT id, version");
            let mut select = transaction.prepare_cached(select).unwrap();
            let row = select.query_row(key(&user), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            });
            let (row, stored) = row.unwrap();
            assert_eq!(stored, version.cast_signed());
            let count = "UPDATE counter SET value = value + 1 RETURNING value";
            let mut count = transaction.prepare_cached(count).unwrap();
            let next: i64 = count.query_row([], |row| row.get(0)).unwrap();
            let update = "UPDATE record SET version = ?, refresh_at = ?, dead_at = ?, key_id = ?, \
                bytes = ? WHERE id = ?";
            let mut update = transaction.prepare_cached(update).unwrap();
            let none = None::<i64>;
            update
                .execute((next, DUE / 1000, none, none, body, row))
                .unwrap();
            drop((select, count, update));
            transaction.commit().unwrap();
            next
        })
        .await;
        self.rows.keep(id, saved.cast_unsigned());
    }
}

fn user(id: usize) -> Arc<str> {
    format!("user-{id:07}").into()
}

fn name(id: usize) -> String {
    format!("[\"https://id.example.com\",\"client\",\"user-{id:07}\"]")
}
