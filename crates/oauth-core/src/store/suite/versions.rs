//! Two who write one record do not overwrite each other unseen.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::{Harness, new_store, read, record, user};
use crate::store::{Record, StoreErrorKind, Version};

/// How many write at once.
const WRITERS: u64 = 32;

pub(super) async fn a_save_replaces_the_version_it_names_and_no_other(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let (a, b) = (record("a", Some(60), true), record("b", Some(60), true));

    let error = store.save(&owner, &a, Some(Version::new(1)), None).await;
    assert_eq!(error.expect_err("nothing to replace").kind(), CONFLICT);
    let first = store.save(&owner, &a, None, None).await.expect("saved");
    let error = store.save(&owner, &b, None, None).await;
    assert_eq!(error.expect_err("there is one").kind(), CONFLICT);
    let second = store.save(&owner, &b, Some(first), None).await;
    let second = second.expect("replaced");
    assert_ne!(first, second);
    let error = store.save(&owner, &a, Some(first), None).await;
    assert_eq!(error.expect_err("replaced before").kind(), CONFLICT);

    let stored = read(&*store, &owner).await;
    assert_eq!((stored.record, stored.version), (b, second));
}

pub(super) async fn no_update_of_many_at_once_is_lost(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let empty = record("a", Some(60), true);
    store.save(&owner, &empty, None, None).await.expect("saved");
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, owner) = (Arc::clone(&store), owner.clone());
        writers.spawn(async move {
            loop {
                let stored = read(&*store, &owner).await;
                let claims = with_claim(&stored.record, writer);
                let next = stored.record.with_claims(claims);
                match store.save(&owner, &next, Some(stored.version), None).await {
                    Ok(version) => return version,
                    Err(error) => assert_eq!(error.kind(), CONFLICT, "{error}"),
                }
            }
        });
    }
    let versions: HashSet<_> = writers.join_all().await.into_iter().collect();
    assert_eq!(versions.len() as u64, WRITERS, "a version was given twice");
    let stored = read(&*store, &owner).await.record;
    let mut found: Vec<_> = stored.claims().keys().cloned().collect();
    found.sort_unstable();
    let mut all: Vec<_> = (0..WRITERS).map(|writer| writer.to_string()).collect();
    all.sort_unstable();
    assert_eq!(found, all, "an update is lost");
}

pub(super) async fn one_of_many_first_saves_wins(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, owner) = (Arc::clone(&store), owner.clone());
        writers.spawn(async move {
            let mine = record(&format!("writer-{writer}"), Some(60), true);
            let saved = store.save(&owner, &mine, None, None).await;
            saved.map(|version| (mine, version))
        });
    }
    let mut won = Vec::new();
    for saved in writers.join_all().await {
        match saved {
            Ok(saved) => won.push(saved),
            Err(error) => assert_eq!(error.kind(), CONFLICT, "{error}"),
        }
    }
    assert_eq!(won.len(), 1, "{} saves were the first", won.len());
    let stored = read(&*store, &owner).await;
    assert_eq!((stored.record, stored.version), won.remove(0));
}

pub(super) async fn a_version_never_comes_back(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let whole = record("a", Some(60), false);
    let mut seen = HashSet::new();
    for round in 0..8 {
        let first = store.save(&owner, &whole, None, None).await.expect("saved");
        assert!(seen.insert(first), "round {round}: a version came back");
        let second = store.save(&owner, &whole, Some(first), None).await;
        let second = second.expect("replaced");
        assert!(seen.insert(second), "round {round}: a version came back");
        let gone = match round % 3 {
            0 => store.remove(&owner).await.expect("removed"),
            1 => store.clear().await.expect("cleared") == 1,
            _ => store.purge(super::at(61), 9).await.expect("purged") == 1,
        };
        assert!(gone, "round {round}: it is still there");
        for version in [first, second] {
            let error = store.save(&owner, &whole, Some(version), None).await;
            let error = error.expect_err("a record that is gone cannot be replaced");
            assert_eq!(error.kind(), CONFLICT, "round {round}");
        }
    }
}

const CONFLICT: StoreErrorKind = StoreErrorKind::Conflict;

fn with_claim(record: &Record, writer: u64) -> Map<String, Value> {
    let mut claims = record.claims().clone();
    claims.insert(writer.to_string(), writer.into());
    claims
}
