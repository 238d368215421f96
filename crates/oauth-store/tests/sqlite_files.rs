//! What becomes of a SQLite store whose file, folder or disk is not as it should be.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use oauth_core::{
    AccessToken, RefreshToken, TokenSet,
    store::{Owner, Record, StoreError, StoreErrorKind as Kind, Subject, TokenRequest, TokenStore},
};
use oauth_store::{Plaintext, Sqlite};
use rusqlite::Connection;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    Place { folder, path }
}

async fn open(path: &Path) -> Result<Plaintext<Sqlite>, StoreError> {
    Sqlite::open(path).await.map(Plaintext::new)
}

async fn refused(path: &Path) -> StoreError {
    let error = open(path).await.expect_err("it must not be opened");
    let folder = path.parent().unwrap().display().to_string();
    assert!(error.to_string().contains(&folder), "{error}");
    error
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

/// A store with one record, closed again.
async fn filled(path: &Path) {
    let store = open(path).await.unwrap();
    store
        .save(&user("42"), &record("a"), None, None)
        .await
        .unwrap();
    drop(store);
    // Its threads close the file in their own time, and take the log away then.
    while path.with_file_name("tokens.db-wal").exists() {
        tokio::task::yield_now().await;
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let place = place();
    let path = place.folder.path().join("some/where/tokens.db");
    let store = open(&path).await.unwrap();
    store
        .save(&user("42"), &record("a"), None, None)
        .await
        .unwrap();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// In another container, a process with the same id can make the same file at the same time.
#[tokio::test]
async fn what_another_process_is_making_is_left_alone() {
    let place = place();
    let name = |count| format!("tokens.db.new-{}-{count}", std::process::id());
    let others: Vec<_> = (0..100)
        .map(|count| place.folder.path().join(name(count)))
        .collect();
    for other in &others {
        fs::write(other, "").unwrap();
    }
    open(&place.path).await.unwrap();
    assert!(others.iter().all(|other| other.exists()));
    let left = fs::read_dir(place.folder.path()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains(".new-")).count(), 100);
}

#[tokio::test]
async fn a_closed_file_is_whole_by_itself_and_opens_again() {
    for readers in [0, 2] {
        let Place { folder, path } = place();
        let sqlite = Sqlite::builder(&path)
            .readers(readers)
            .open()
            .await
            .unwrap();
        let store = Plaintext::new(sqlite.clone());
        let owner = user("a");
        store
            .save(&owner, &record("one"), None, None)
            .await
            .unwrap();
        sqlite.close().await.unwrap();
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(files.count(), 1, "a log is left");
        assert!(store.load(&owner).await.unwrap().is_some());
        drop(folder);
    }
}

#[tokio::test]
async fn a_file_that_others_can_reach_is_refused() {
    for bits in [0o640, 0o604, 0o620, 0o610] {
        let place = place();
        filled(&place.path).await;
        chmod(&place.path, bits);
        assert_eq!(refused(&place.path).await.kind(), Kind::Configuration);
        chmod(&place.path, 0o600);
        open(&place.path).await.unwrap();
    }
    for bits in [0o770, 0o702, 0o777, 0o1777] {
        let place = place();
        filled(&place.path).await;
        chmod(place.folder.path(), bits);
        assert_eq!(refused(&place.path).await.kind(), Kind::Configuration);
    }
}

#[tokio::test]
async fn links_pipes_and_folders_are_refused() {
    for name in ["tokens.db", "tokens.db-wal", "tokens.db-shm"] {
        let (place, target) = (place(), place());
        filled(&target.path).await;
        if name != "tokens.db" {
            filled(&place.path).await;
        }
        let link = place.folder.path().join(name);
        let _ = fs::remove_file(&link);
        symlink(&target.path, &link).unwrap();
        let before = fs::read(&target.path).unwrap();
        assert_eq!(refused(&place.path).await.kind(), Kind::Configuration);
        assert_eq!(fs::read(&target.path).unwrap(), before, "{name}");
    }
    let dangling = place();
    symlink("nowhere", &dangling.path).unwrap();
    assert_eq!(refused(&dangling.path).await.kind(), Kind::Configuration);
    assert!(!dangling.folder.path().join("nowhere").exists());

    let pipe = place();
    let made = Command::new("mkfifo").arg(&pipe.path).status().unwrap();
    assert!(made.success());
    chmod(&pipe.path, 0o600);
    assert_eq!(refused(&pipe.path).await.kind(), Kind::Configuration);

    let folder = place();
    fs::create_dir(&folder.path).unwrap();
    assert_eq!(refused(&folder.path).await.kind(), Kind::Configuration);
}

#[tokio::test]
async fn a_file_of_another_user_is_refused() {
    let place = place();
    let path = if rustix::process::geteuid().is_root() {
        filled(&place.path).await;
        std::os::unix::fs::chown(&place.path, Some(65_534), None).unwrap();
        place.path.clone()
    } else {
        // Root's, in a folder of root's.
        PathBuf::from("/etc/passwd")
    };
    let error = refused(&path).await;
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(error.to_string().contains("another user"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_left_as_it_is() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 7] = [
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("no database", |path| {
            fs::write(path, "{}".repeat(4096)).unwrap();
        }),
        ("short and no database", |path| {
            fs::write(path, "{}").unwrap();
        }),
        ("cut in the first page", |path| cut(path, 1000)),
        ("cut to the first page", |path| cut(path, 4096)),
        ("of a later version", |path| {
            let sql = Connection::open(path).unwrap();
            sql.pragma_update(None, "user_version", 99).unwrap();
        }),
        ("of another program", |path| {
            fs::remove_file(path).unwrap();
            let sql = Connection::open(path).unwrap();
            sql.execute_batch("CREATE TABLE mail (id)").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let place = place();
        filled(&place.path).await;
        damage(&place.path);
        chmod(&place.path, 0o600);
        let before = fs::read(&place.path).unwrap();
        let error = refused(&place.path).await;
        assert_eq!(error.kind(), Kind::Unreadable, "{name}: {error}");
        assert!(error.to_string().contains("tokens.db"), "{name}: {error}");
        let after = fs::read(&place.path).unwrap();
        assert!(before == after, "{name}: the file was changed");
    }
}

fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let place = place();
    let sql = Connection::open(&place.path).unwrap();
    sql.execute_batch(
        "CREATE TABLE record (id INTEGER PRIMARY KEY, issuer TEXT NOT NULL, client_id TEXT NOT NULL,
             kind INTEGER NOT NULL CHECK (kind IN (0, 1)), subject TEXT NOT NULL,
             version INTEGER NOT NULL, refresh_at INTEGER, dead_at INTEGER, key_id TEXT,
             bytes BLOB NOT NULL) STRICT;
         CREATE UNIQUE INDEX record_owner ON record (issuer, client_id, kind, subject);
         CREATE TABLE counter (value INTEGER NOT NULL) STRICT;
         INSERT INTO counter VALUES (7);
         PRAGMA application_id = 0x6f61746b; PRAGMA user_version = 1;",
    )
    .unwrap();
    let text = r#"{"version":1,"tokens":[],"later":{"x":1}}"#;
    sql.execute(
        "INSERT INTO record VALUES (1, 'https://id.example.com', 'client', 1, '42', 7, 60000, NULL,
             NULL, ?)",
        [text.as_bytes()],
    )
    .unwrap();
    drop(sql);
    chmod(&place.path, 0o600);

    let store = open(&place.path).await.unwrap();
    let stored = store.load(&user("42")).await.unwrap().unwrap();
    assert_eq!(stored.version.get(), 7);
    let due = store.due(SystemTime::now(), 9).await.unwrap();
    assert_eq!(due, [user("42")]);
    let lease = store.lease("name", Duration::from_secs(60)).await.unwrap();
    let saved = store
        .save(
            &user("42"),
            &record("b"),
            Some(stored.version),
            lease.as_ref(),
        )
        .await;
    assert!(saved.unwrap().get() > 7);
    drop(store);
    open(&place.path).await.unwrap();
}

#[tokio::test]
async fn a_damaged_row_is_its_owners_misfortune_alone() {
    let place = place();
    let store = open(&place.path).await.unwrap();
    for id in ["1", "2", "3"] {
        store
            .save(&user(id), &record("a"), None, None)
            .await
            .unwrap();
    }
    let sql = Connection::open(&place.path).unwrap();
    sql.execute("UPDATE record SET bytes = x'ff00' WHERE subject = '1'", [])
        .unwrap();
    sql.execute("UPDATE record SET key_id = 'k' WHERE subject = '2'", [])
        .unwrap();
    for id in ["1", "2"] {
        let error = store.load(&user(id)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreadable, "{error}");
        assert!(store.remove(&user(id)).await.unwrap());
        store
            .save(&user(id), &record("b"), None, None)
            .await
            .unwrap();
    }
    assert!(store.load(&user("3")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let place = place();
    let store = Sqlite::builder(&place.path)
        .max_pages(40)
        .open()
        .await
        .unwrap();
    let store = Plaintext::new(store);
    let large = record(&"x".repeat(10_000));
    let mut kept = 0;
    let error = loop {
        match store
            .save(&user(&kept.to_string()), &large, None, None)
            .await
        {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 40, "the limit does not hold");
    };
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    assert!(kept > 2);
    for id in 0..kept {
        let stored = store.load(&user(&id.to_string())).await.unwrap().unwrap();
        assert!(stored.record == large);
    }
    assert!(store.remove(&user("0")).await.unwrap());
    store
        .save(&user("later"), &large, None, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_writer_that_does_not_end_is_waited_for_no_longer_than_allowed() {
    let place = place();
    let store = Sqlite::builder(&place.path).time_limit(Duration::from_millis(200));
    let store = Plaintext::new(store.open().await.unwrap());
    let version = store
        .save(&user("42"), &record("a"), None, None)
        .await
        .unwrap();
    let sql = Connection::open(&place.path).unwrap();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..2 {
        let saved = store
            .save(&user("42"), &record("b"), Some(version), None)
            .await;
        assert_eq!(saved.unwrap_err().kind(), Kind::Unavailable);
        let lease = store.lease("name", Duration::from_secs(1)).await;
        assert_eq!(lease.unwrap_err().kind(), Kind::Unavailable);
        // Who reads does not wait for who writes.
        assert!(store.load(&user("42")).await.unwrap().is_some());
    }
    sql.execute_batch("ROLLBACK").unwrap();
    let stored = store.load(&user("42")).await.unwrap().unwrap();
    let saved = store
        .save(&user("42"), &record("c"), Some(stored.version), None)
        .await;
    saved.unwrap();
}

#[tokio::test]
async fn a_file_taken_away_is_missed_and_one_put_back_is_used() {
    let place = place();
    let store = open(&place.path).await.unwrap();
    let version = store
        .save(&user("42"), &record("a"), None, None)
        .await
        .unwrap();
    let aside = place.folder.path().join("aside.db");
    let sql = Connection::open(&place.path).unwrap();
    sql.execute("VACUUM INTO ?", [aside.to_str()]).unwrap();
    drop(sql);
    chmod(&aside, 0o600);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(place.folder.path().join(format!("tokens.db{suffix}")));
    }
    let saved = store
        .save(&user("42"), &record("lost"), Some(version), None)
        .await;
    assert_eq!(saved.unwrap_err().kind(), Kind::Unavailable);
    let loaded = store.load(&user("42")).await;
    assert_eq!(loaded.unwrap_err().kind(), Kind::Unavailable);
    assert!(!place.path.exists(), "an empty store was put in its place");

    fs::rename(&aside, &place.path).unwrap();
    let stored = store.load(&user("42")).await.unwrap().unwrap();
    assert_eq!(stored.record, record("a"));
    let saved = store
        .save(&user("42"), &record("b"), Some(stored.version), None)
        .await;
    saved.unwrap();
    let kept = open(&place.path).await.unwrap();
    assert_eq!(
        kept.load(&user("42")).await.unwrap().unwrap().record,
        record("b")
    );
}

#[tokio::test]
async fn what_was_saved_in_another_file_is_read_there_at_once() {
    let place = place();
    let store = open(&place.path).await.unwrap();
    let owner = user("42");
    let saved = store.save(&owner, &record("a"), None, None).await;
    let aside = place.folder.path().join("aside.db");
    let sql = Connection::open(&place.path).unwrap();
    sql.execute("VACUUM INTO ?", [aside.to_str()]).unwrap();
    drop(sql);
    chmod(&aside, 0o600);
    let both = async || {
        let (one, two) = tokio::join!(store.load(&owner), store.load(&owner));
        [one, two].map(|stored| stored.unwrap().unwrap().record)
    };
    assert_eq!(both().await, [record("a"), record("a")]);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(place.folder.path().join(format!("tokens.db{suffix}")));
    }
    fs::rename(&aside, &place.path).unwrap();
    let version = Some(saved.unwrap());
    let saved = store.save(&owner, &record("b"), version, None).await;
    saved.unwrap();
    assert_eq!(both().await, [record("b"), record("b")]);
}

/// Root may write anywhere: then this test runs itself again as nobody.
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    const PLACE: &str = "OAUTH_STORE_TEST_FOLDER";
    if rustix::process::geteuid().is_root() {
        let place = place();
        let me = place.folder.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &me).unwrap();
        chmod(&me, 0o755);
        let folder = place.folder.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for path in [place.folder.path(), &folder] {
            std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
        }
        let run = std::os::unix::process::CommandExt::uid(&mut Command::new(&me), 65_534)
            .args(["--exact", "a_folder_that_cannot_be_written_is_told"])
            .env(PLACE, &folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let place = place();
    let folder = match std::env::var_os(PLACE) {
        Some(folder) => PathBuf::from(folder),
        None => place.folder.path().to_owned(),
    };
    let path = folder.join("tokens.db");
    chmod(&folder, 0o500);
    assert_eq!(refused(&path).await.kind(), Kind::Configuration);
    let deeper = folder.join("deeper/tokens.db");
    assert_eq!(open(&deeper).await.unwrap_err().kind(), Kind::Configuration);

    chmod(&folder, 0o700);
    filled(&path).await;
    chmod(&path, 0o400);
    chmod(&folder, 0o500);
    for name in ["tokens.db-wal", "tokens.db-shm"] {
        assert!(!folder.join(name).exists(), "{name} would let it be opened");
    }
    assert_eq!(refused(&path).await.kind(), Kind::Configuration);
    chmod(&folder, 0o700);
    chmod(&path, 0o600);
    let store = open(&path).await.unwrap();
    assert!(store.load(&user("42")).await.unwrap().is_some());
}
