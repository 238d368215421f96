//! How fast the stores are, beside the bare drivers in the same run: one JSON line per figure.
//!
//! `cargo bench -p oauth-store --all-features -- [--rows 1000000] [postgres|redis|sqlite]…`
//!
//! Load and save with 1 and 32 tasks, on a server or file of its own; then, with that many rows,
//! the room they take, and how long a page of `due` and of `purge` takes in them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that is run by hand and prints what it found"
)]

mod bare;
mod ours;
mod scale;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oauth_core::{random::OsRandom, store::TokenStore};
use oauth_store::{Encrypted, Key, Keys, Plaintext, Postgres, Redis, Sqlite};
use test_servers::{PostgresServer, RedisServer};

use ours::Ours;

/// How many owners there are while load and save are measured.
const OWNERS: usize = 1024;
const TASKS: [usize; 2] = [1, 32];
/// Each is measured so often, in turn with the others, and the median counts.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(800);

/// Something that keeps rows.
#[async_trait]
trait Subject: Send + Sync {
    async fn load(&self, owner: usize);
    /// Replaces what was saved last; each owner has one task.
    async fn save(&self, owner: usize);
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let after = |name| arguments.iter().position(|argument| argument == name);
    let rows = after("--rows").map_or(0, |at| arguments[at + 1].parse().unwrap());
    let names = ["postgres", "redis", "sqlite"];
    let all = !arguments
        .iter()
        .any(|argument| names.contains(&argument.as_str()));
    let wanted = |name: &str| all || arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if wanted("postgres") {
            postgres(rows).await;
        }
        if wanted("redis") {
            redis(rows).await;
        }
        if wanted("sqlite") {
            sqlite(rows).await;
        }
    });
}

async fn postgres(rows: usize) {
    let server = PostgresServer::start().unwrap();
    let connect = |schema: &'static str| {
        server.sql(&format!("CREATE SCHEMA {schema}")).unwrap();
        let url = format!("{}?options=-csearch_path%3D{schema}", server.url());
        async move { Postgres::connect(&url).await.unwrap() }
    };
    let clear = Plaintext::new(connect("clear").await);
    let sealed = Encrypted::new(connect("sealed").await, keys());
    let bare = bare::Postgres::new(&server.url()).await;
    compare("PostgreSQL", Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        let store = Plaintext::new(connect("many").await);
        let size = || -> f64 {
            let tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class \
                WHERE relkind = 'r' AND relnamespace = 'many'::regnamespace";
            server.sql(tables).unwrap().parse().unwrap()
        };
        let settle = || drop(server.sql("VACUUM ANALYZE").unwrap());
        scale::measure("PostgreSQL", "on disk", Arc::new(store), rows, size, settle).await;
    }
}

async fn redis(rows: usize) {
    let server = RedisServer::start().unwrap();
    let connect = |prefix| Redis::builder(&server.url()).prefix(prefix).connect();
    let clear = Plaintext::new(connect("clear").await.unwrap());
    let sealed = Encrypted::new(connect("sealed").await.unwrap(), keys());
    let bare = bare::Redis::new(&server.url()).await;
    compare("Redis", Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        server.command(&["FLUSHALL"]).unwrap();
        let store = Plaintext::new(connect("many").await.unwrap());
        let size = || -> f64 {
            let info = server.command(&["INFO", "memory"]).unwrap();
            let used = info
                .lines()
                .find_map(|line| line.strip_prefix("used_memory:"));
            used.unwrap().trim().parse().unwrap()
        };
        scale::measure("Redis", "in memory", Arc::new(store), rows, size, || ()).await;
    }
}

async fn sqlite(rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| Sqlite::open(folder.path().join(name));
    let clear = Plaintext::new(open("clear.db").await.unwrap());
    let sealed = Encrypted::new(open("sealed.db").await.unwrap(), keys());
    let bare = bare::Sqlite::new(&folder.path().join("bare.db"));
    compare("SQLite", Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        let store = Plaintext::new(open("many.db").await.unwrap());
        let size = || -> f64 {
            let files = std::fs::read_dir(folder.path()).unwrap().flatten();
            let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("many"));
            ours.map(|file| file.metadata().unwrap().len() as f64).sum()
        };
        scale::measure("SQLite", "on disk", Arc::new(store), rows, size, || ()).await;
    }
}

fn keys() -> Keys {
    Keys::new(Key::generate("bench", &OsRandom).unwrap())
}

/// Loads and saves of all three, in turn.
async fn compare(
    name: &str,
    bare: Arc<dyn Subject>,
    clear: impl TokenStore,
    sealed: impl TokenStore,
) {
    let who: [(&str, Arc<dyn Subject>); 3] = [
        ("bare driver", bare),
        ("oauth-store", Arc::new(Ours::new(Arc::new(clear)).await)),
        (
            "oauth-store, sealed",
            Arc::new(Ours::new(Arc::new(sealed)).await),
        ),
    ];
    for tasks in TASKS {
        for write in [false, true] {
            let mut figures = [const { Vec::new() }; 3];
            for _ in 0..ROUNDS {
                for (figures, (_, subject)) in figures.iter_mut().zip(&who) {
                    figures.push(throughput(subject, tasks, write).await);
                }
            }
            let what = if write { "save" } else { "load" };
            for (figures, (who, _)) in figures.iter_mut().zip(&who) {
                figures.sort_by(f64::total_cmp);
                let what = format!("{name}: {what}, {tasks} tasks");
                report(&what, who, figures[ROUNDS / 2], "operations/s");
            }
        }
    }
}

async fn throughput(subject: &Arc<dyn Subject>, tasks: usize, write: bool) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let mut running = tokio::task::JoinSet::new();
    let started = Instant::now();
    for task in 0..tasks {
        let (subject, done, over) = (Arc::clone(subject), Arc::clone(&done), Arc::clone(&over));
        running.spawn(async move {
            for owner in (task..OWNERS).step_by(tasks).cycle() {
                match write {
                    true => subject.save(owner).await,
                    false => subject.load(owner).await,
                }
                done.fetch_add(1, Ordering::Relaxed);
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
    }
    tokio::time::sleep(ROUND).await;
    over.store(true, Ordering::Relaxed);
    running.join_all().await;
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

fn report(what: &str, who: &str, value: f64, unit: &str) {
    let value = (value * 1000.0).round() / 1000.0;
    println!(
        "{}",
        serde_json::json!({"what": what, "who": who, "value": value, "unit": unit})
    );
}
