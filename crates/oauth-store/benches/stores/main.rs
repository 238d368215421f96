//! How fast the stores are, beside the bare drivers in the same run: one JSON line per figure.
//!
//! `cargo xtask bench --only stores` runs it and judges the figures; by hand it is
//! `cargo bench -p oauth-store --all-features --bench stores -- [--quick] [--rows 1000000]
//! [postgres|redis|sqlite]…`
//!
//! Load and save with 1 and 32 tasks, everybody in turn; then, with that many rows, the room they and
//! the leases of a day take, and how long a page of `due` and of `purge` takes in them and in a hundredth
//! of them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that is run by hand and prints what it found"
)]

mod bare;
mod cores;
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
use oauth_store::{Backend, Encrypted, Key, Keys, Plaintext, Postgres, Redis, Sqlite};
use test_servers::{PostgresServer, RedisServer};
use tokio::runtime::Runtime;

use ours::Ours;

/// How many owners there are while load and save are measured.
const OWNERS: usize = 1024;
const TASKS: [usize; 2] = [1, 32];

/// Each is measured so often, in turn with the others, and the median counts. A multiple of the
/// [`ORDERS`].
#[derive(Clone, Copy)]
struct Rounds {
    count: usize,
    each: Duration,
}

impl Rounds {
    /// More and shorter ones: a machine that is slow for a while is then slow for everybody, and nobody
    /// alone waits for threads and processes to be woken late. A round lasts until each task has done
    /// what it has begun.
    fn of(self, tasks: usize) -> Self {
        let (more, shorter) = if tasks == 1 { (8, 5) } else { (4, 4) };
        Self {
            count: self.count * more,
            each: self.each / shorter,
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
            count: 6,
            each: Duration::from_millis(100),
        },
        None => Rounds {
            count: 24,
            each: Duration::from_millis(200),
        },
    };
    let names = ["postgres", "redis", "sqlite"];
    let all = !arguments
        .iter()
        .any(|argument| names.contains(&argument.as_str()));
    let wanted = |name: &str| all || arguments.iter().any(|argument| argument == name);
    if wanted("postgres") {
        postgres(rounds, rows);
    }
    if wanted("redis") {
        redis(rounds, rows);
    }
    if wanted("sqlite") {
        sqlite(rounds, rows);
    }
}

/// Runs `measure` for each number of tasks, on the cores and the runtime that are theirs.
fn for_each_number_of_tasks(measure: impl AsyncFn(usize)) {
    for tasks in TASKS {
        cores::with(tasks, || runtime().block_on(measure(tasks)));
    }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

fn postgres(rounds: Rounds, rows: usize) {
    for_each_number_of_tasks(async |tasks| {
        let server = PostgresServer::start().unwrap();
        let (bare, ours) = (schema(&server, "bare"), schema(&server, "ours"));
        fill(Postgres::connect(&bare).await.unwrap()).await;
        let bare = Arc::new(bare::Postgres::new(&bare).await);
        let ours = Postgres::connect(&ours).await.unwrap();
        compare("PostgreSQL", rounds, tasks, bare, ours).await;
    });
    if rows > 0 {
        runtime().block_on(many_in_postgres(rows));
    }
}

/// The URL of a new one.
fn schema(server: &PostgresServer, name: &str) -> String {
    server.sql(&format!("CREATE SCHEMA {name}")).unwrap();
    format!("{}?options=-csearch_path%3D{name}", server.url())
}

async fn many_in_postgres(rows: usize) {
    let server = PostgresServer::start().unwrap();
    let url = schema(&server, "many");
    let store: Arc<dyn TokenStore> =
        Arc::new(Plaintext::new(Postgres::connect(&url).await.unwrap()));
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
    let unsynced = format!("{url}%20-csynchronous_commit%3Doff");
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

fn redis(rounds: Rounds, rows: usize) {
    for_each_number_of_tasks(async |tasks| {
        let server = RedisServer::start().unwrap();
        let connect = |prefix| Redis::builder(&server.url()).prefix(prefix).connect();
        fill(connect("bare").await.unwrap()).await;
        let bare = Arc::new(bare::Redis::new(&server.url(), "bare").await);
        let ours = connect("ours").await.unwrap();
        compare("Redis", rounds, tasks, bare, ours).await;
    });
    if rows > 0 {
        runtime().block_on(many_in_redis(rows));
    }
}

async fn many_in_redis(rows: usize) {
    let server = RedisServer::start().unwrap();
    let connect = || Redis::builder(&server.url()).connect();
    let store: Arc<dyn TokenStore> = Arc::new(Plaintext::new(connect().await.unwrap()));
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
    let filler: Arc<dyn TokenStore> = Arc::new(Plaintext::new(connect().await.unwrap()));
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

fn sqlite(rounds: Rounds, rows: usize) {
    for_each_number_of_tasks(async |tasks| {
        let folder = tempfile::tempdir().unwrap();
        let file = |who| folder.path().join(who);
        fill(Sqlite::open(file("bare.db")).await.unwrap()).await;
        let bare = Arc::new(bare::Sqlite::new(&file("bare.db")));
        let ours = Sqlite::open(file("ours.db")).await.unwrap();
        compare("SQLite", rounds, tasks, bare, ours).await;
    });
    if rows > 0 {
        runtime().block_on(many_in_sqlite(rows));
    }
}

async fn many_in_sqlite(rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.db");
    let store: Arc<dyn TokenStore> = Arc::new(Plaintext::new(Sqlite::open(&path).await.unwrap()));
    let size = || -> f64 {
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("many"));
        ours.map(|file| file.metadata().unwrap().len() as f64).sum()
    };
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

/// As many rows for the bare driver as are in the table that the store in clear and the sealed one share.
async fn fill(backend: impl Backend) {
    let store = Plaintext::new(backend);
    for first in [0, OWNERS] {
        ours::fill(&store, first).await;
    }
}

fn keys() -> Keys {
    Keys::new(Key::generate("bench", &OsRandom).unwrap())
}

/// Loads and saves of all three, in turn. Sealed and in clear are kept by the same connections and
/// threads: which core those run on would tell the two apart more than the cipher does.
async fn compare(
    name: &str,
    rounds: Rounds,
    tasks: usize,
    bare: Arc<dyn Subject>,
    backend: impl Backend + Clone,
) {
    let clear = Arc::new(Plaintext::new(backend.clone()));
    let sealed = Arc::new(Encrypted::new(backend, keys()));
    let who: [Arc<dyn Subject>; 3] = [
        bare,
        Arc::new(Ours::new(clear, 0).await),
        Arc::new(Ours::new(sealed, OWNERS).await),
    ];
    let rounds = rounds.of(tasks);
    for what in ["load", "save"] {
        let mut figures = [const { Vec::new() }; 3];
        // One of each that does not count.
        for round in 0..=rounds.count {
            for at in ORDERS[round % ORDERS.len()] {
                let figure = throughput(&who[at], tasks, what == "save", rounds.each).await;
                if round > 0 {
                    figures[at].push(figure / 1e3);
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

/// Who of the three comes when: each in each place, and after each other as often. What one leaves
/// behind, warm memory or threads on this core or that, is felt by the next.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [1, 2, 0],
    [2, 1, 0],
    [1, 0, 2],
    [0, 2, 1],
    [2, 0, 1],
];

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
    let middle = rounds.len() / 2;
    let median = match rounds.len().is_multiple_of(2) {
        true => f64::midpoint(rounds[middle - 1], rounds[middle]),
        false => rounds[middle],
    };
    let figure = serde_json::json!({
        "what": what,
        "who": who,
        "value": median,
        "low": rounds[0],
        "high": rounds[rounds.len() - 1],
        "unit": unit,
        "rounds": rounds.len(),
    });
    println!("{figure}");
}
