//! How fast the stores are, beside the bare drivers in the same run: one JSON line per figure.
//!
//! `cargo xtask bench --only stores` runs it and judges the figures; by hand it is
//! `cargo bench -p oauth-store --all-features --bench stores -- [--quick] [--rows 1000000]
//! [postgres|redis|sqlite]…`
//!
//! Load and save with 1 and 32 tasks, on a server or file of its own, everybody in turn; then, with
//! that many rows, the room they and the leases of a day take, and how long a page of `due` and of `purge` takes in them
//! and in a hundredth of them.
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
#[derive(Clone, Copy)]
struct Rounds {
    count: usize,
    each: Duration,
}

impl Rounds {
    /// A single task waits for threads and processes to be woken, now on this core and now on the other,
    /// which takes up to three times as long for a while: more rounds, and shorter ones, give everybody
    /// their share of it.
    fn of(self, tasks: usize) -> Self {
        match tasks {
            1 => Self {
                count: self.count * 8,
                each: self.each / 5,
            },
            _ => self,
        }
    }
}

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
    let rounds = match after("--quick") {
        Some(_) => Rounds {
            count: 5,
            each: Duration::from_millis(100),
        },
        None => Rounds {
            count: 21,
            each: Duration::from_millis(200),
        },
    };
    let names = ["postgres", "redis", "sqlite"];
    let all = !arguments
        .iter()
        .any(|argument| names.contains(&argument.as_str()));
    let wanted = |name: &str| all || arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if wanted("postgres") {
            postgres(rounds, rows).await;
        }
        if wanted("redis") {
            redis(rounds, rows).await;
        }
        if wanted("sqlite") {
            sqlite(rounds, rows).await;
        }
    });
}

async fn postgres(rounds: Rounds, rows: usize) {
    let server = PostgresServer::start().unwrap();
    let url = |schema| format!("{}?options=-csearch_path%3D{schema}", server.url());
    let connect = |schema: &'static str| {
        server.sql(&format!("CREATE SCHEMA {schema}")).unwrap();
        let url = url(schema);
        async move { Postgres::connect(&url).await.unwrap() }
    };
    let clear = Plaintext::new(connect("clear").await);
    let sealed = Encrypted::new(connect("sealed").await, keys());
    ours::fill(&Plaintext::new(connect("bare").await)).await;
    let bare = bare::Postgres::new(&url("bare")).await;
    compare("PostgreSQL", rounds, Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        let store: Arc<dyn TokenStore> = Arc::new(Plaintext::new(connect("many").await));
        let size = || -> f64 {
            let tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class \
                WHERE relkind = 'r' AND relnamespace = 'many'::regnamespace";
            server.sql(tables).unwrap().parse().unwrap()
        };
        let settle = || {
            for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
                server.sql(statement).unwrap();
            }
        };
        // What the URL says counts: nobody waits for the disk while it is filled.
        let unsynced = format!("{}%20-csynchronous_commit%3Doff", url("many"));
        let filler: Arc<dyn TokenStore> =
            Arc::new(Plaintext::new(Postgres::connect(&unsynced).await.unwrap()));
        let fill = |ids| scale::save_all(Arc::clone(&filler), ids);
        let measure = scale::Measure {
            name: "PostgreSQL",
            place: "on disk",
            store: &store,
            lessee: Some(&filler),
            rows,
        };
        measure.run(fill, size, settle).await;
    }
}

async fn redis(rounds: Rounds, rows: usize) {
    let server = RedisServer::start().unwrap();
    let connect = |prefix| Redis::builder(&server.url()).prefix(prefix).connect();
    let clear = Plaintext::new(connect("clear").await.unwrap());
    let sealed = Encrypted::new(connect("sealed").await.unwrap(), keys());
    ours::fill(&Plaintext::new(connect("bare").await.unwrap())).await;
    let bare = bare::Redis::new(&server.url(), "bare").await;
    compare("Redis", rounds, Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        server.command(&["FLUSHALL"]).unwrap();
        let store: Arc<dyn TokenStore> = Arc::new(Plaintext::new(connect("many").await.unwrap()));
        let size = || -> f64 {
            let info = server.command(&["INFO", "memory"]).unwrap();
            let used = info
                .lines()
                .find_map(|line| line.strip_prefix("used_memory:"));
            used.unwrap().trim().parse().unwrap()
        };
        let sync = |when| {
            drop(
                server
                    .command(&["CONFIG", "SET", "appendfsync", when])
                    .unwrap(),
            );
        };
        let filler: Arc<dyn TokenStore> = Arc::new(Plaintext::new(connect("many").await.unwrap()));
        let fill = async |ids| {
            sync("no");
            scale::save_all(Arc::clone(&filler), ids).await;
            sync("always");
        };
        let measure = scale::Measure {
            name: "Redis",
            place: "in memory",
            store: &store,
            lessee: Some(&filler),
            rows,
        };
        measure.run(fill, size, || ()).await;
    }
}

async fn sqlite(rounds: Rounds, rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| Sqlite::open(folder.path().join(name));
    let clear = Plaintext::new(open("clear.db").await.unwrap());
    let sealed = Encrypted::new(open("sealed.db").await.unwrap(), keys());
    ours::fill(&Plaintext::new(open("bare.db").await.unwrap())).await;
    let bare = bare::Sqlite::new(&folder.path().join("bare.db"));
    compare("SQLite", rounds, Arc::new(bare), clear, sealed).await;
    if rows > 0 {
        let store: Arc<dyn TokenStore> = Arc::new(Plaintext::new(open("many.db").await.unwrap()));
        let size = || -> f64 {
            let files = std::fs::read_dir(folder.path()).unwrap().flatten();
            let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("many"));
            ours.map(|file| file.metadata().unwrap().len() as f64).sum()
        };
        let path = folder.path().join("many.db");
        let fill = async |ids| scale::insert_all(&path, ids);
        let measure = scale::Measure {
            name: "SQLite",
            place: "on disk",
            store: &store,
            lessee: None,
            rows,
        };
        measure.run(fill, size, || ()).await;
    }
}

fn keys() -> Keys {
    Keys::new(Key::generate("bench", &OsRandom).unwrap())
}

/// Loads and saves of all three, in turn.
async fn compare(
    name: &str,
    rounds: Rounds,
    bare: Arc<dyn Subject>,
    clear: impl TokenStore,
    sealed: impl TokenStore,
) {
    let who: [Arc<dyn Subject>; 3] = [
        bare,
        Arc::new(Ours::new(Arc::new(clear)).await),
        Arc::new(Ours::new(Arc::new(sealed)).await),
    ];
    for tasks in TASKS {
        let rounds = rounds.of(tasks);
        for what in ["load", "save"] {
            let mut figures = [const { Vec::new() }; 3];
            // One of each that does not count.
            for round in 0..=rounds.count {
                for (figures, subject) in figures.iter_mut().zip(&who) {
                    let figure = throughput(subject, tasks, what == "save", rounds.each).await;
                    if round > 0 {
                        figures.push(figure / 1e3);
                    }
                }
            }
            let task = if tasks == 1 { "task" } else { "tasks" };
            let [bare, clear, sealed] = &figures;
            let clearly = format!("{name}: {what}, {tasks} {task}");
            report(&clearly, "bare driver", bare, THOUSANDS);
            report(&clearly, "oauth-store", clear, THOUSANDS);
            let sealedly = format!("{name}: {what} sealed, {tasks} {task}");
            report(&sealedly, "in clear", clear, THOUSANDS);
            report(&sealedly, "oauth-store, sealed", sealed, THOUSANDS);
        }
    }
}

const THOUSANDS: &str = "thousand a second";

async fn throughput(subject: &Arc<dyn Subject>, tasks: usize, write: bool, each: Duration) -> f64 {
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
    tokio::time::sleep(each).await;
    over.store(true, Ordering::Relaxed);
    running.join_all().await;
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// The median of the rounds, and the lowest and highest of them.
fn report(what: &str, who: &str, rounds: &[f64], unit: &str) {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    let figure = serde_json::json!({
        "what": what,
        "who": who,
        "value": rounds[rounds.len() / 2],
        "low": rounds[0],
        "high": rounds[rounds.len() - 1],
        "unit": unit,
        "rounds": rounds.len(),
    });
    println!("{figure}");
}
