//! Many owners, in order and in parts.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::task::JoinSet;

use super::{Harness, at, new_store, record, user};
use crate::store::{Owner, TokenStore};

pub(super) async fn due_is_in_order_and_strictly_before(harness: &dyn Harness) {
    let store = new_store(harness).await;
    for (id, ends, refresh) in [
        ("late", Some(300), true),
        ("early", Some(100), true),
        ("middle", Some(200), true),
        ("not to be refreshed", Some(50), false),
        ("endless", None, true),
    ] {
        save(&*store, &user(id), ends, refresh).await;
    }
    let due = async |before, limit| store.due(at(before), limit).await.expect("due");
    assert_eq!(due(100, 9).await, []);
    assert_eq!(due(101, 9).await, [user("early")]);
    assert_eq!(due(300, 9).await, [user("early"), user("middle")]);
    assert_eq!(due(301, 2).await, [user("early"), user("middle")]);
    assert_eq!(due(301, 0).await, []);
    // The clock was set back, and forward again.
    assert_eq!(due(0, 9).await, []);
    assert_eq!(due(301, 9).await.len(), 3);

    // What was refreshed is due later.
    let stored = super::read(&*store, &user("early")).await;
    let later = record("later", Some(400), true);
    let replaces = Some(stored.version);
    let saved = store.save(&user("early"), &later, replaces, None).await;
    saved.expect("saved");
    let all = [user("middle"), user("late"), user("early")];
    assert_eq!(due(401, 9).await, all);
}

pub(super) async fn times_far_away_are_kept_apart(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let year = 365 * 86_400;
    for (id, ends) in [("epoch", 0), ("soon", 60), ("far", 8000 * year)] {
        save(&*store, &user(id), Some(ends), true).await;
    }
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(year);
    assert_eq!(store.due(before_1970, 9).await.expect("due"), []);
    assert_eq!(store.due(at(1), 9).await.expect("due"), [user("epoch")]);
    assert_eq!(store.due(at(7999 * year), 9).await.expect("due").len(), 2);
    assert_eq!(store.due(at(8001 * year), 9).await.expect("due").len(), 3);
    assert_eq!(store.purge(before_1970, 9).await.expect("purged"), 0);
}

pub(super) async fn purge_takes_the_dead_and_no_more_than_it_may(harness: &dyn Harness) {
    let store = new_store(harness).await;
    for id in 0..10 {
        save(&*store, &user(&format!("dead-{id}")), Some(100), false).await;
    }
    save(&*store, &user("alive"), Some(200), false).await;
    save(&*store, &user("endless"), None, false).await;
    save(&*store, &user("refreshable"), Some(100), true).await;
    let purge = async |before, limit| store.purge(at(before), limit).await.expect("purged");
    assert_eq!(purge(100, 9).await, 0);
    assert_eq!(purge(101, 0).await, 0);
    assert_eq!(purge(101, 4).await, 4);
    assert_eq!(purge(101, 4).await, 4);
    assert_eq!(purge(101, 4).await, 2);
    assert_eq!(purge(101, 4).await, 0);
    let mut left = store.owners(None, 99).await.expect("owners");
    left.sort_unstable();
    assert_eq!(left, [user("alive"), user("endless"), user("refreshable")]);
}

pub(super) async fn ten_thousand_owners(harness: &dyn Harness) {
    const OWNERS: u64 = 10_000;
    const WRITERS: u64 = 32;
    let store = new_store(harness).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for id in (writer..OWNERS).step_by(32) {
                // Every fourth cannot be refreshed, and dies.
                save(
                    &*store,
                    &numbered(id),
                    Some(1000 + id),
                    !id.is_multiple_of(4),
                )
                .await;
            }
        });
    }
    writers.join_all().await;

    let mut seen = HashSet::new();
    let mut after = None;
    loop {
        let page = store.owners(after.as_ref(), 777).await.expect("owners");
        assert!(page.len() <= 777, "{} at once", page.len());
        let Some(last) = page.last().cloned() else {
            break;
        };
        for owner in page {
            assert!(seen.insert(owner.clone()), "{owner:?} came twice");
        }
        // The place in the list is kept even when the owner there is not.
        assert!(store.remove(&last).await.expect("removed"));
        after = Some(last);
    }
    assert_eq!(
        seen.len() as u64,
        OWNERS,
        "owners are missing from the list"
    );
    for owner in &seen {
        if store.load(owner).await.expect("an answer").is_none() {
            let id = owner.subject().user_id().and_then(|id| id.parse().ok());
            let id: u64 = id.expect("a number");
            save(&*store, owner, Some(1000 + id), !id.is_multiple_of(4)).await;
        }
    }

    let due = store.due(at(1000 + 5000), 100).await.expect("due");
    let first: Vec<_> = (0..)
        .filter(|id: &u64| !id.is_multiple_of(4))
        .take(100)
        .collect();
    assert_eq!(due, first.into_iter().map(numbered).collect::<Vec<_>>());
    let due = store.due(at(u64::from(u32::MAX)), usize::MAX).await;
    assert_eq!(due.expect("due").len() as u64, OWNERS / 4 * 3);

    let mut dead = 0;
    loop {
        let gone = store.purge(at(1000 + OWNERS), 1000).await.expect("purged");
        assert!(gone <= 1000, "{gone} at once");
        dead += gone as u64;
        if gone == 0 {
            break;
        }
    }
    assert_eq!(dead, OWNERS / 4);
    assert_eq!(store.clear().await.expect("cleared"), OWNERS / 4 * 3);
}

fn numbered(id: u64) -> Owner {
    user(&id.to_string())
}

async fn save(store: &dyn TokenStore, owner: &Owner, ends: Option<u64>, refresh: bool) {
    let whole = record("a", ends, refresh);
    store.save(owner, &whole, None, None).await.expect("saved");
}
