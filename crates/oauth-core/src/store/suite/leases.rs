//! One at a time, and whoever comes back late is told apart.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::task::JoinSet;

use super::{Harness, new_store, read, record, user};
use crate::store::{Lease, StoreErrorKind, TokenStore};

/// Longer than a case takes.
const LONG: Duration = Duration::from_secs(600);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(50);

pub(super) async fn one_of_many_gets_a_lease(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let mut takers = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(&store);
        takers.spawn(async move { store.lease("name", LONG).await.expect("an answer") });
    }
    let mut got: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got.remove(0).name(), "name");
    // Another name is another lease.
    take(&*store, "another", LONG).await;
}

pub(super) async fn a_lease_given_back_or_run_out_can_be_had_again(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let first = take(&*store, "name", LONG).await;
    refused(&*store, "name").await;
    store.release(first.clone()).await.expect("released");
    let second = take(&*store, "name", SHORT).await;
    run_out(harness).await;
    let third = take(&*store, "name", LONG).await;
    refused(&*store, "name").await;
    assert!(
        first.fence() < second.fence() && second.fence() < third.fence(),
        "fencing numbers must grow: {first:?} {second:?} {third:?}"
    );
    let abandoned = [&first, &second, &third].map(Lease::was_abandoned);
    assert_eq!(abandoned, [false, false, true], "only the second ran out");
}

pub(super) async fn an_abandoned_lease_is_known_until_it_was_seen_to(harness: &dyn Harness) {
    let store = new_store(harness).await;
    take(&*store, "name", SHORT).await;
    run_out(harness).await;
    for _ in 0..3 {
        let lease = take(&*store, "name", LONG).await;
        assert!(lease.was_abandoned(), "{lease:?}");
        refused(&*store, "name").await;
        store.release(lease).await.expect("released");
    }
    let lease = take(&*store, "name", LONG).await;
    let settled = lease.with_abandoned(false);
    store.release(settled).await.expect("released");
    let lease = take(&*store, "name", LONG).await;
    assert!(!lease.was_abandoned(), "{lease:?}");
}

pub(super) async fn a_save_needs_the_newest_lease(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let (a, b) = (record("a", Some(60), true), record("b", Some(60), true));
    let stale = take(&*store, "name", SHORT).await;
    run_out(harness).await;
    let newest = take(&*store, "name", LONG).await;

    let error = store.save(&owner, &a, None, Some(&stale)).await;
    assert_eq!(error.expect_err("a stale lease").kind(), FENCED);
    assert!(store.load(&owner).await.expect("a miss").is_none());
    let version = store.save(&owner, &b, None, Some(&newest)).await;
    let version = version.expect("saved under the lease");
    // The lease is looked at first: who lost it need not know the version.
    for replaces in [None, Some(version)] {
        let error = store.save(&owner, &a, replaces, Some(&stale)).await;
        assert_eq!(error.expect_err("a stale lease").kind(), FENCED);
    }
    let settled = newest.clone().with_abandoned(false);
    store.release(settled).await.expect("released");
    for old in [&stale, &newest] {
        let error = store.save(&owner, &a, Some(version), Some(old)).await;
        assert_eq!(error.expect_err("a lease given back").kind(), FENCED);
    }
    assert_eq!(read(&*store, &owner).await.record, b);
}

pub(super) async fn a_lease_that_ran_out_unused_still_saves(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let slow = take(&*store, "name", SHORT).await;
    run_out(harness).await;
    // Nobody else has had it: what was fetched under it must not be lost.
    let fetched = record("a", None, true);
    let saved = store.save(&owner, &fetched, None, Some(&slow)).await;
    saved.expect("saved");
}

pub(super) async fn a_late_release_takes_nothing_away(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let stale = take(&*store, "name", SHORT).await;
    run_out(harness).await;
    let newest = take(&*store, "name", LONG).await;
    store.release(stale).await.expect("no error");
    refused(&*store, "name").await;
    store.release(newest.clone()).await.expect("released");
    store.release(newest).await.expect("no error");
    take(&*store, "name", LONG).await;
}

pub(super) async fn leases_of_any_length_are_taken(harness: &dyn Harness) {
    let store = new_store(harness).await;
    take(&*store, "endless", Duration::MAX).await;
    refused(&*store, "endless").await;
    take(&*store, "none", Duration::ZERO).await;
    run_out(harness).await;
    take(&*store, "none", LONG).await;
}

pub(super) async fn leases_do_not_notice_the_wall_clock(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let held = take(&*store, "name", LONG).await;
    let year = Duration::from_secs(365 * 86_400);
    for to in [SystemTime::UNIX_EPOCH, SystemTime::now() + year] {
        harness.jump(to);
        refused(&*store, "name").await;
    }
    harness.jump(SystemTime::now());
    store.release(held).await.expect("released");
    take(&*store, "name", SHORT).await;
    harness.jump(SystemTime::UNIX_EPOCH);
    run_out(harness).await;
    take(&*store, "name", LONG).await;
}

const FENCED: StoreErrorKind = StoreErrorKind::Fenced;

async fn take(store: &dyn TokenStore, name: &str, ttl: Duration) -> Lease {
    let lease = store.lease(name, ttl).await.expect("an answer");
    lease.expect("a lease that nobody has")
}

async fn refused(store: &dyn TokenStore, name: &str) {
    let lease = store.lease(name, LONG).await.expect("an answer");
    assert_eq!(lease, None, "somebody has it");
}

/// Until a lease of [`SHORT`] is over.
async fn run_out(harness: &dyn Harness) {
    harness.pass(SHORT * 2).await;
}
