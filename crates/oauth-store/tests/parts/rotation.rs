//! Keys are exchanged in place, in every backend.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use oauth_core::{
    AccessToken, RefreshToken, TokenSet,
    random::OsRandom,
    store::{Owner, Record, Subject, TokenRequest, TokenStore},
};
use oauth_store::{Backend, Encrypted, Key, Keys};

fn key(id: &str) -> Key {
    Key::generate(id, &OsRandom).unwrap()
}

fn user(id: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(id))
}

fn record(access: &str) -> Record {
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let token = TokenSet::new(AccessToken::new(access).unwrap(), SystemTime::UNIX_EPOCH)
        .with_expires_at(Some(ends))
        .with_refresh_token(Some(RefreshToken::new("refresh").unwrap()));
    Record::new().with(TokenRequest::any(), token)
}

/// Every record is sealed anew, and nobody who saves meanwhile is disturbed.
pub(crate) async fn while_in_use(backend: impl Backend + Clone) {
    const OWNERS: usize = 300;
    let (old, new) = (key("old"), key("new"));
    let before = Encrypted::new(backend.clone(), Keys::new(old.clone()));
    let mut versions = Vec::new();
    for id in 0..OWNERS {
        let saved = before
            .save(&user(&id.to_string()), &record("0"), None, None)
            .await;
        versions.push(saved.unwrap());
    }
    let both = Encrypted::new(backend.clone(), Keys::new(new.clone()).and(old).unwrap());
    // Who still seals with the old key, when all should know the new one by now.
    let late = before.clone();
    let done = Arc::new(AtomicBool::new(false));
    let (store, end, read) = (both.clone(), Arc::clone(&done), versions[0]);
    let writer = tokio::spawn(async move {
        let owner = user("0");
        let (mut version, mut saves) = (read, 0_u32);
        while !end.load(Ordering::SeqCst) || saves == 0 {
            let next = record(&(saves + 1).to_string());
            // The version is the one of the save before: rotation must not have changed it.
            version = store
                .save(&owner, &next, Some(version), None)
                .await
                .unwrap();
            saves += 1;
        }
        saves
    });
    let rotated = both.rotate(7).await.unwrap();
    done.store(true, Ordering::SeqCst);
    let saves = writer.await.unwrap();
    assert_eq!(rotated.unreadable, []);
    assert!(rotated.sealed as usize >= OWNERS - 1, "{rotated:?}");

    let only_new = Encrypted::new(backend.clone(), Keys::new(new));
    for (id, version) in versions.iter().enumerate().skip(1) {
        let stored = only_new
            .load(&user(&id.to_string()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((stored.record, stored.version), (record("0"), *version));
    }
    let stored = only_new.load(&user("0")).await.unwrap().unwrap();
    assert_eq!(stored.record, record(&saves.to_string()));
    assert_eq!(both.rotate(1000).await.unwrap().sealed, 0);

    late.save(&user("late"), &record("0"), None, None)
        .await
        .unwrap();
    assert_eq!(both.rotate(1000).await.unwrap().sealed, 1);
}

/// How many rows `damage` adds whose owner's name cannot be read, first in what is due.
pub(crate) const DAMAGED: usize = 20;

/// Rows whose owner's name cannot be read hide no others, and are counted.
pub(crate) async fn past_damaged_names(backend: impl Backend + Clone, damage: impl FnOnce()) {
    let (old, new) = (key("old"), key("new"));
    let before = Encrypted::new(backend.clone(), Keys::new(old.clone()));
    for id in 0..10 {
        let owner = user(&id.to_string());
        before.save(&owner, &record("a"), None, None).await.unwrap();
    }
    damage();
    assert_eq!(backend.due(SystemTime::now(), 1).await.unwrap().len(), 1);
    let both = Encrypted::new(backend, Keys::new(new).and(old).unwrap());
    for (batch, sealed) in [(1, 10), (7, 0), (100, 0)] {
        let rotated = both.rotate(batch).await.unwrap();
        assert_eq!(rotated.sealed, sealed, "{rotated:?}");
        assert_eq!(rotated.damaged, DAMAGED as u64, "{batch}: {rotated:?}");
        assert_eq!(rotated.unreadable, []);
    }
}
