//! What many rows cost: their room, and whether a page takes longer among them.

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use oauth_core::store::{Record, TokenStore};
use secrecy::ExposeSecret;

use super::{ours, report};

/// Owners in a page of `due`, and records in a batch of `purge`.
const PAGE: usize = 100;
/// How often each page is asked for; all but the first count.
const RUNS: usize = 15;
const WRITERS: usize = 32;
/// How many leases are taken to see what one leaves behind.
const LEASES: usize = 20_000;

/// A store to be filled with a hundredth of `rows`, and then with the rest, and measured at both.
pub(super) struct Measure<'a> {
    pub(super) name: &'static str,
    /// Where the rows take room.
    pub(super) place: &'static str,
    pub(super) store: &'a Arc<dyn TokenStore>,
    /// Who takes leases, where one that was given back keeps its row for a day. Another handle than
    /// `store`: a pool hands out the connection that was idle longest, and each of the many that
    /// take leases at once would run its first page, and prepare the statement, in a run that
    /// counts.
    pub(super) lessee: Option<&'a Arc<dyn TokenStore>>,
    pub(super) rows: usize,
}

impl Measure<'_> {
    pub(super) async fn run(
        &self,
        fill: impl AsyncFn(Range<usize>),
        size: impl Fn() -> f64,
        settle: impl Fn(),
    ) {
        let Self {
            name,
            place,
            store,
            lessee,
            rows: all,
        } = *self;
        // Of the first hundredth one half is dead, and there must be enough of it for every run.
        let needed = 200 * RUNS * PAGE;
        assert!(all >= needed, "--rows must be {needed} or more");
        let empty = size();
        let mut filled = 0;
        for rows in [all / 100, all] {
            fill(filled..rows).await;
            filled = rows;
            settle();
            if rows == all {
                let each = (size() - empty) / rows as f64;
                let what = format!("{name}: a token {place}, {}", digits(rows));
                report(&what, "oauth-store", &[each], "bytes");
                if let Some(lessee) = lessee {
                    let before = size();
                    take_and_give_back(lessee).await;
                    settle();
                    let each = (size() - before) / LEASES as f64;
                    let what = format!("{name}: a lease of the last day {place}");
                    report(&what, "oauth-store", &[each], "bytes");
                }
            }
            // All of them are due, and dead, by then.
            let then = SystemTime::now() + Duration::from_secs(365 * 86_400);
            let due = async || assert_eq!(store.due(then, PAGE).await.unwrap().len(), PAGE);
            let purge = async || assert_eq!(store.purge(then, PAGE).await.unwrap(), PAGE);
            for (what, times) in [("due", times(due).await), ("purged", times(purge).await)] {
                let what = format!("{name}: {PAGE} {what} at once");
                // What is small is what the large one is compared with.
                let who = if rows == all { "oauth-store, " } else { "" };
                let who = format!("{who}among {} rows", digits(rows));
                report(&what, &who, &times, "ms");
            }
        }
    }
}

/// Saves a record for each owner.
pub(super) async fn save_all(store: Arc<dyn TokenStore>, ids: Range<usize>) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        let ids = ids.clone().skip(writer).step_by(WRITERS);
        writers.spawn(async move {
            for id in ids {
                let (owner, record) = (ours::owner(id), record(id));
                store.save(&owner, &record, None, None).await.unwrap();
            }
        });
    }
    writers.join_all().await;
}

/// As those who renew do, each for another owner.
async fn take_and_give_back(store: &Arc<dyn TokenStore>) {
    let mut takers = tokio::task::JoinSet::new();
    for taker in 0..WRITERS {
        let store = Arc::clone(store);
        takers.spawn(async move {
            for id in (taker..LEASES).step_by(WRITERS) {
                // As long as the names that the manager gives them.
                let name = format!("refresh:{id:032x}");
                let lease = store.lease(&name, Duration::from_secs(30)).await.unwrap();
                store.release(lease.unwrap()).await.unwrap();
            }
        });
    }
    takers.join_all().await;
}

/// The same rows in a few transactions: a million synced ones take most of an hour.
pub(super) fn insert_all(path: &Path, ids: Range<usize>) {
    let mut sql = rusqlite::Connection::open(path).unwrap();
    let transaction = sql.transaction().unwrap();
    let insert = "INSERT INTO record (issuer, client_id, kind, subject, version, refresh_at, dead_at, bytes) \
        VALUES (?, ?, 1, ?, ?, ?, ?, ?)";
    let mut insert_row = transaction.prepare(insert).unwrap();
    for id in ids.clone() {
        let (owner, record) = (ours::owner(id), record(id));
        let json = record.to_json();
        let row = (
            owner.issuer(),
            owner.client_id(),
            owner.subject().user_id(),
            id as i64 + 1,
            record.refresh_at().map(millis),
            record.dead_at().map(millis),
            json.expose_secret().as_bytes(),
        );
        insert_row.execute(row).unwrap();
    }
    drop(insert_row);
    let count = "UPDATE counter SET value = ?";
    transaction.execute(count, [ids.end as i64]).unwrap();
    transaction.commit().unwrap();
    let settle = "PRAGMA wal_checkpoint(TRUNCATE)";
    sql.query_row(settle, [], |_| Ok(())).unwrap();
}

/// The halves are due, or dead: a record with a refresh token does not die.
fn record(id: usize) -> Record {
    match id % 2 {
        0 => ours::record(id as u64),
        _ => ours::mortal(id as u64),
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// How long it takes, in milliseconds, each time.
async fn times(act: impl AsyncFn()) -> Vec<f64> {
    let mut times = Vec::new();
    // The first one, which does not count, finds out how.
    for run in 0..RUNS {
        let started = Instant::now();
        act().await;
        if run > 0 {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times
}

/// With commas: 1,000,000.
fn digits(number: usize) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", digits(thousands), number % 1000),
    }
}
