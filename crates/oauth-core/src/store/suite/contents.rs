//! What was saved is what comes back.

use std::{collections::HashMap, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Harness, at, new_store, read, record, user};
use crate::{
    AccessToken, RefreshToken, TokenSet,
    store::{Record, TokenRequest},
};

pub(super) async fn a_record_comes_back_as_it_was(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    assert!(store.load(&owner).await.expect("a miss").is_none());
    let narrow = TokenRequest::scopes("read write".parse().expect("scopes"))
        .resource("https://api.example.com")
        .param("audience", "a=b&c")
        .expect("a name that is free");
    let whole = record("first", Some(60), true).with(
        narrow,
        TokenSet::new(AccessToken::new("second").expect("a text"), at(5)),
    );
    let version = store.save(&owner, &whole, None, None).await.expect("saved");
    let stored = read(&*store, &owner).await;
    assert_eq!((stored.record, stored.version), (whole, version));
}

pub(super) async fn any_text_and_a_token_of_64_kib_come_back(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let long: String = ('!'..='~').cycle().take(64 * 1024).collect();
    let token = TokenSet::new(AccessToken::new(long.as_str()).expect("a text"), at(0))
        .with_refresh_token(Some(RefreshToken::new(long.as_str()).expect("a text")));
    let claims = json!({
        "name": "Zoë \u{1F469}\u{200D}\u{1F680} \u{202E}שלום",
        "nul\u{0}": "\u{0}\u{1}\"\\\n",
        "deep": {"list": [null, true, 1.5, -9_007_199_254_740_993_i64]},
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    let whole = Record::new()
        .with(TokenRequest::any(), token)
        .with_claims(claims);
    let owner = user("42");
    store.save(&owner, &whole, None, None).await.expect("saved");
    let stored = read(&*store, &owner).await.record;
    assert_eq!(stored.claims(), whole.claims());
    assert!(stored == whole, "the token of 64 KiB came back as another");
}

pub(super) async fn unknown_members_survive(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let later = r#"{"version":1,"tokens":[{"later":{"y":2},"token":{"version":1,
        "access_token":"a","token_type":"Bearer","issued_at":0,"scopes":[],"later":{"z":3},
        "extra":{"id_token":"e.f.g","n":[null,{"deep":1.5}]}}}],"later":{"x":[1,"ä"]}}"#;
    let whole = Record::from_json(&SecretString::from(later)).expect("a record");
    let owner = user("42");
    store.save(&owner, &whole, None, None).await.expect("saved");
    let stored = read(&*store, &owner).await.record;
    assert!(stored == whole, "it came back as another");
    let stored = stored.to_json();
    for member in [
        r#""later":{"x":[1,"ä"]}"#,
        r#""later":{"y":2}"#,
        r#""later":{"z":3}"#,
        r#""extra":{"id_token":"e.f.g","n":[null,{"deep":1.5}]}"#,
    ] {
        assert!(
            stored.expose_secret().contains(member),
            "what another version or a server wrote is lost: {member}"
        );
    }
}

pub(super) async fn what_is_removed_is_gone(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let whole = record("a", Some(60), true);
    for id in ["1", "2", "3"] {
        let saved = store.save(&user(id), &whole, None, None).await;
        saved.expect("saved");
    }
    assert!(store.remove(&user("2")).await.expect("removed"));
    assert!(!store.remove(&user("2")).await.expect("nothing to remove"));
    assert!(store.load(&user("2")).await.expect("a miss").is_none());
    let due = store.due(at(100), 10).await.expect("due");
    assert!(!due.contains(&user("2")) && due.len() == 2, "{due:?}");
    assert_eq!(store.clear().await.expect("cleared"), 2);
    assert_eq!(store.owners(None, 10).await.expect("owners"), []);
    assert_eq!(store.due(at(100), 10).await.expect("due"), []);
    assert_eq!(store.clear().await.expect("nothing to clear"), 0);
}

pub(super) async fn a_dropped_save_leaves_a_whole_record(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let owner = user("42");
    let mut tried = vec![record("first", Some(60), true)];
    let saved = store.save(&owner, &tried[0], None, None).await;
    let mut versions = HashMap::from([(saved.expect("saved"), tried[0].clone())]);
    for round in 0..32 {
        let before = read(&*store, &owner).await;
        let next = record(&format!("round-{round}"), Some(60), true);
        tried.push(next.clone());
        let (store_, owner_) = (Arc::clone(&store), owner.clone());
        let version = before.version;
        let save = async move { store_.save(&owner_, &next, Some(version), None).await };
        let task = tokio::spawn(save);
        // At another point each time; where, is the scheduler's choice.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
        // What was under way may still arrive, now or later, but as a whole.
        let after = read(&*store, &owner).await;
        assert!(
            tried.contains(&after.record),
            "round {round}: half a record"
        );
        let known = versions
            .entry(after.version)
            .or_insert(after.record.clone());
        assert_eq!(
            *known, after.record,
            "round {round}: a version of two records"
        );
    }
}
