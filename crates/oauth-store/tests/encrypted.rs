//! What is sealed opens for its owner, with its key, unchanged, or not at all.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "parts/rotation.rs"]
mod rotation;

use std::{fs, path::Path, process::Command, sync::Arc, time::SystemTime};

use oauth_core::{
    AccessToken, Error, TokenSet,
    random::{OsRandom, Random},
    store::{Owner, Record, StoreErrorKind as Kind, Subject, TokenRequest, TokenStore},
};
use oauth_store::{Backend, Encrypted, Key, Keys, Plaintext, Sqlite};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

const SECRET: &str = "planted-secret-token";

async fn file() -> (TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let file = Sqlite::open(folder.path().join("tokens.db")).await.unwrap();
    (folder, file)
}

fn key(id: &str) -> Key {
    Key::generate(id, &OsRandom).unwrap()
}

fn user(id: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(id))
}

fn record(access: &str) -> Record {
    let token = TokenSet::new(AccessToken::new(access).unwrap(), SystemTime::UNIX_EPOCH);
    Record::new().with(TokenRequest::any(), token)
}

fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[tokio::test]
async fn no_token_is_in_the_files() {
    let (folder, file) = file().await;
    let sealed = Encrypted::new(file.clone(), Keys::new(key("k")));
    sealed
        .save(&user("1"), &record(SECRET), None, None)
        .await
        .unwrap();
    assert!(!holds(folder.path(), SECRET));
    // And they would be found if they were.
    let clear = Plaintext::new(file);
    clear
        .save(&user("2"), &record(SECRET), None, None)
        .await
        .unwrap();
    assert!(holds(folder.path(), SECRET));
}

#[tokio::test]
async fn another_key_is_an_error_and_no_garbage() {
    let (_folder, file) = file().await;
    let stored = Encrypted::new(file.clone(), Keys::new(key("k")));
    stored
        .save(&user("1"), &record(SECRET), None, None)
        .await
        .unwrap();
    for (keys, says) in [
        (Keys::new(key("other")), "not among"),
        (Keys::new(key("k")), "another key"),
        (
            Keys::new(key("k")).and(key("other")).unwrap(),
            "another key",
        ),
    ] {
        let store = Encrypted::new(file.clone(), keys);
        let error = store.load(&user("1")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreadable);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(store.rotate(10).await.unwrap().sealed, 0);
    }
    let other = Encrypted::new(file.clone(), Keys::new(key("other")));
    assert_eq!(other.rotate(10).await.unwrap().unreadable, [user("1")]);
    let error = Plaintext::new(file).load(&user("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreadable);
    assert!(stored.load(&user("1")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_row_opens_for_its_owner_alone() {
    let (_folder, file) = file().await;
    let keys = Keys::new(key("k")).and(key("l")).unwrap();
    let store = Encrypted::new(file.clone(), keys);
    store
        .save(&user("1"), &record(SECRET), None, None)
        .await
        .unwrap();
    let row = file.load(&user("1")).await.unwrap().unwrap();
    for thief in [
        user("2"),
        Owner::new("https://id.example.com", "client", Subject::Client),
        Owner::new("https://id.example.com", "clien", Subject::user("t1")),
        Owner::new("https://id.example.co", "mclient", Subject::user("1")),
    ] {
        file.save(&thief, &row.sealed, None, None).await.unwrap();
        let error = store.load(&thief).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreadable, "{thief:?}");
    }
    // Nor under another key's name.
    let mut renamed = row.sealed.clone();
    renamed.key_id = Some("l".into());
    assert!(
        file.reseal(&user("1"), &renamed, row.version)
            .await
            .unwrap()
    );
    assert!(store.load(&user("1")).await.is_err());
    assert!(
        file.reseal(&user("1"), &row.sealed, row.version)
            .await
            .unwrap()
    );
    assert!(store.load(&user("1")).await.is_ok());
}

#[tokio::test]
async fn no_bit_can_be_changed_and_no_byte_left_out() {
    let (_folder, file) = file().await;
    let store = Encrypted::new(file.clone(), Keys::new(key("k")));
    store
        .save(&user("1"), &record("a"), None, None)
        .await
        .unwrap();
    let row = file.load(&user("1")).await.unwrap().unwrap();
    for index in 0..row.sealed.bytes.len() {
        let mut flipped = row.sealed.clone();
        flipped.bytes[index] ^= 1 << (index % 8);
        let mut cut = row.sealed.clone();
        cut.bytes.truncate(index);
        for damaged in [flipped, cut] {
            assert!(
                file.reseal(&user("1"), &damaged, row.version)
                    .await
                    .unwrap()
            );
            let error = store.load(&user("1")).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unreadable, "byte {index}");
        }
    }
}

#[tokio::test]
async fn a_record_in_clear_is_not_taken_for_a_sealed_one() {
    let (_folder, file) = file().await;
    let clear = Plaintext::new(file.clone());
    let version = clear
        .save(&user("1"), &record("a"), None, None)
        .await
        .unwrap();
    let keys = Keys::new(key("k"));
    let strict = Encrypted::new(file.clone(), keys.clone());
    let error = strict.load(&user("1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreadable);
    assert_eq!(strict.rotate(10).await.unwrap().unreadable, [user("1")]);

    let moving = Encrypted::new(file, keys.and_plaintext());
    assert!(moving.load(&user("1")).await.unwrap().is_some());
    assert_eq!(moving.rotate(10).await.unwrap().sealed, 1);
    let stored = strict.load(&user("1")).await.unwrap().unwrap();
    assert_eq!((stored.record, stored.version), (record("a"), version));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_while_the_store_is_in_use() {
    let (_folder, file) = file().await;
    rotation::while_in_use(file).await;
}

#[derive(Debug)]
struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
        OsRandom.fill(&mut [])?;
        Err(AccessToken::new("\n").expect_err("no token"))
    }
}

#[tokio::test]
async fn nonces_are_random_and_without_randomness_nothing_is_written() {
    let (_folder, file) = file().await;
    let keys = Keys::new(key("k"));
    let store = Encrypted::new(file.clone(), keys.clone());
    let mut nonces = std::collections::HashSet::new();
    for id in 0..50 {
        let owner = user(&id.to_string());
        store.save(&owner, &record("a"), None, None).await.unwrap();
        let row = file.load(&owner).await.unwrap().unwrap();
        assert!(nonces.insert(row.sealed.bytes[1..25].to_vec()));
    }
    let broken = Encrypted::new(file, keys.with_random(Arc::new(Broken)));
    let error = broken.save(&user("new"), &record("a"), None, None).await;
    assert_eq!(error.unwrap_err().kind(), Kind::Unavailable);
    assert!(broken.load(&user("new")).await.unwrap().is_none());
}

#[test]
fn keys_are_read_from_text() {
    let (a, b) = (key("a"), key("b"));
    let [line_a, line_b] = [a.to_line(), b.to_line()];
    let (line_a, line_b) = (line_a.expose_secret(), line_b.expose_secret());
    let text = format!("# first\n\n  {line_b}  \r\n{line_a}\n");
    let keys = Keys::parse(&text.into()).unwrap();
    let shown = format!("{keys:?} {a:?}");
    assert!(shown.contains(r#"[Key("b"), Key("a")]"#), "{shown}");
    let encoded = line_a.split_once(':').unwrap().1;
    assert!(!shown.contains(&encoded[..8]), "{shown}");

    for text in [
        "".to_owned(),
        "# nothing".to_owned(),
        "no colon".to_owned(),
        format!(":{encoded}"),
        format!("a b:{encoded}"),
        format!("a:{encoded}AAAA"),
        "a:AAAA".to_owned(),
        format!("a:{}", &encoded[..43]),
        format!("{line_a}\n{line_a}"),
    ] {
        let error = Keys::parse(&SecretString::from(text.clone())).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration, "{text}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&encoded[..8]), "{shown}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, key("a").to_line().expose_secret()).unwrap();
    let chmod = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for (mode, allowed) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        chmod(mode);
        let keys = Keys::from_file(&path);
        assert_eq!(keys.is_ok(), allowed, "{mode:o}: {keys:?}");
    }
    let error = Keys::from_file(&path).unwrap_err();
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );

    assert!(Keys::from_file(folder.path()).is_err());
    assert!(Keys::from_file(folder.path().join("none")).is_err());
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert!(Keys::from_file(&pipe).is_err());
}

/// A process cannot safely change its own environment: this test runs itself again in another.
#[test]
fn keys_come_from_the_environment() {
    const NAME: &str = "OAUTH_STORE_TEST_KEYS";
    if std::env::var_os(NAME).is_some() {
        assert!(format!("{:?}", Keys::from_env(NAME).unwrap()).contains("Key(\"a\")"));
        return;
    }
    assert_eq!(
        Keys::from_env(NAME).unwrap_err().kind(),
        Kind::Configuration
    );
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keys_come_from_the_environment"])
        .env(NAME, key("a").to_line().expose_secret())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
