//! A store from a URL.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use oauth_core::{random::OsRandom, store::StoreErrorKind as Kind};
use oauth_store::{Key, Keys, Protection, open};

#[tokio::test]
async fn a_file_is_opened_sealed_or_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new(Key::generate("k", &OsRandom).unwrap());
    for (name, prefix, protection) in [
        ("a.db", "sqlite:", Protection::Plaintext),
        ("b.db", "sqlite://", Protection::Keys(keys)),
        ("memory", "", Protection::Plaintext),
    ] {
        let path = folder.path().join(name);
        let url = match prefix {
            "" => "memory:".to_owned(),
            prefix => format!("{prefix}{}", path.display()),
        };
        let store = open(&url, protection).await.unwrap();
        let shown = format!("{store:?}");
        assert_eq!(shown.contains("Key(\"k\")"), name == "b.db", "{shown}");
        assert_eq!(path.exists(), name != "memory");
    }
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_not_repeated() {
    let mut urls = vec![
        "",
        "tokens.db",
        "sqlite:",
        "sqlite://",
        "memory:x",
        "mysql://user:s3cret@host/db",
        "s3cret",
        "file:///s3cret",
    ];
    if cfg!(not(feature = "postgres")) {
        urls.extend([
            "postgres://user:s3cret@host/db",
            "postgresql://user:s3cret@host/db",
        ]);
    }
    if cfg!(not(feature = "redis")) {
        urls.extend(["redis://user:s3cret@host/0", "rediss://user:s3cret@host/0"]);
    }
    for url in urls {
        let error = open(url, Protection::Plaintext).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration, "{url}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        if let Some(feature) = ["postgres", "redis"].iter().find(|f| url.starts_with(**f)) {
            assert!(shown.contains(&format!("`{feature}`")), "{shown}");
        }
    }
}
