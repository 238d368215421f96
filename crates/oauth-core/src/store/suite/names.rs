//! Whatever a name is made of, it is another than another.

use std::time::Duration;

use super::{Harness, new_store, read, record};
use crate::store::{Owner, Subject};

pub(super) async fn owners_with_odd_names_never_meet(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let mut owners = Vec::new();
    let parts = odd();
    for part in &parts {
        let part = part.as_str();
        owners.push(Owner::new(part, "client", Subject::user("x")));
        owners.push(Owner::new("issuer", part, Subject::user("x")));
        owners.push(Owner::new("issuer", "client", Subject::user(part)));
        owners.push(Owner::new("issuer", part, Subject::Client));
    }
    // The same letters, divided otherwise.
    for separator in ["", "/", ":", "\0", "\u{1f}", " ", "|", "%00"] {
        let [ab, bc] = [format!("a{separator}b"), format!("b{separator}c")];
        owners.push(Owner::new(ab.as_str(), "c", Subject::user("d")));
        owners.push(Owner::new("a", bc.as_str(), Subject::user("d")));
        owners.push(Owner::new("a", ab.as_str(), Subject::Client));
    }
    owners.sort_unstable();
    owners.dedup();

    for (index, owner) in owners.iter().enumerate() {
        let mine = record(&index.to_string(), Some(60), true);
        let saved = store.save(owner, &mine, None, None).await;
        assert!(saved.is_ok(), "{saved:?}: {}", shown(owner));
    }
    for (index, owner) in owners.iter().enumerate() {
        let mine = record(&index.to_string(), Some(60), true);
        assert_eq!(read(&*store, owner).await.record, mine, "{}", shown(owner));
    }
    let mut listed = store.owners(None, usize::MAX).await.expect("owners");
    listed.sort_unstable();
    assert!(listed == owners, "the list of owners is another");
    let mut due = store.due(super::at(61), usize::MAX).await.expect("due");
    due.sort_unstable();
    assert!(due == owners, "the list of due owners is another");
    for (index, owner) in owners.iter().enumerate() {
        assert!(store.remove(owner).await.expect("removed"));
        let left = store.owners(None, usize::MAX).await.expect("owners").len();
        assert_eq!(left, owners.len() - index - 1, "{}", shown(owner));
    }
}

pub(super) async fn leases_with_odd_names_never_meet(harness: &dyn Harness) {
    let store = new_store(harness).await;
    let long = Duration::from_secs(600);
    for name in odd() {
        let lease = store.lease(&name, long).await.expect("an answer");
        let lease = lease.expect("a lease that nobody has");
        assert_eq!(lease.name(), name);
        assert_eq!(store.lease(&name, long).await.expect("an answer"), None);
    }
}

/// Texts that are easily taken for one another.
fn odd() -> Vec<String> {
    let mut odd: Vec<String> = [
        "",
        " ",
        "  ",
        "\0",
        "\0\0",
        "a",
        "A",
        "a ",
        " a",
        "a\0",
        "a\0b",
        "\0a",
        "a\n",
        "a\r\n",
        "a/b",
        "a:b",
        "a%2Fb",
        "a|b",
        "a,b",
        "a\\b",
        "*",
        "?",
        "[a]",
        "{a}",
        "%",
        "_",
        "'",
        "\"",
        "NULL",
        "null",
        "0",
        "00",
        "client",
        "ä",
        "a\u{308}",
        "\u{e4}\u{200b}",
        "\u{1F469}",
        "\u{FFFF}",
        "\u{10FFFF}",
        "ß",
        "SS",
        "ı",
        "I",
    ]
    .map(str::to_owned)
    .into();
    odd.push("x".repeat(4096));
    odd.push("x".repeat(4095) + "y");
    odd.push("\u{1F469}".repeat(1024));
    odd
}

fn shown(owner: &Owner) -> String {
    format!("{owner:?}").chars().take(200).collect()
}
