//! What many rows cost: their room, and whether a page takes longer among them.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use oauth_core::store::TokenStore;

use super::{ours, report};

/// Owners in a page of `due`, and records in a batch of `purge`.
const PAGE: usize = 100;
/// How often each page is asked for; the median counts.
const RUNS: usize = 5;
const WRITERS: usize = 32;

/// Fills `store` with a hundredth of `rows`, and then with the rest, and measures at both.
pub(super) async fn measure(
    name: &str,
    place: &str,
    store: Arc<dyn TokenStore>,
    rows: usize,
    size: impl Fn() -> f64,
    settle: impl Fn(),
) {
    // Of the first hundredth one half is dead, and there must be enough of it for every run.
    assert!(rows >= 200 * RUNS * PAGE, "--rows must be 100000 or more");
    let empty = size();
    let mut filled = 0;
    for rows in [rows / 100, rows] {
        fill(&store, filled..rows).await;
        settle();
        if filled > 0 {
            let each = (size() - empty) / rows as f64;
            report(
                &format!("{name}: {place}, {rows} rows"),
                "oauth-store",
                each,
                "bytes/row",
            );
        }
        filled = rows;
        // All of them are due, and dead, by then.
        let then = SystemTime::now() + Duration::from_secs(365 * 86_400);
        let due = async || assert_eq!(store.due(then, PAGE).await.unwrap().len(), PAGE);
        let purge = async || assert_eq!(store.purge(then, PAGE).await.unwrap(), PAGE);
        let due = median(due).await;
        let purge = median(purge).await;
        for (what, time) in [("due", due), ("purge", purge)] {
            let what = format!("{name}: {what} of {PAGE} among {rows} rows");
            report(&what, "oauth-store", time.as_secs_f64() * 1e3, "ms");
        }
    }
}

async fn fill(store: &Arc<dyn TokenStore>, ids: std::ops::Range<usize>) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(store);
        let ids = ids.clone().skip(writer).step_by(WRITERS);
        writers.spawn(async move {
            for id in ids {
                // The halves are due, or dead: a record with a refresh token does not die.
                let record = match id % 2 {
                    0 => ours::record(id as u64),
                    _ => ours::mortal(id as u64),
                };
                store
                    .save(&ours::owner(id), &record, None, None)
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
}

async fn median(act: impl AsyncFn()) -> Duration {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        act().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}
