//! SQLite, in a file of its own.

use std::path::PathBuf;

use oauth_server::{TokenHash, sql::SqlStore};

use crate::{TRIALS, nodes, of, records, suite};

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("oauth-server-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite() {
    let folder = Folder::new("sqlite");
    let store = SqlStore::sqlite(folder.0.join("oauth.db")).await.unwrap();
    suite::run(&of(store).await, TRIALS).await;
}

#[tokio::test]
async fn what_is_stored_outlives_the_process_and_holds_no_token() {
    let folder = Folder::new("restart");
    let path = folder.0.join("oauth.db");
    let token = records::access("the token itself", "g", "app", "p");
    let before = records::end() - std::time::Duration::from_secs(1);
    let jti = TokenHash::of("the jti itself");
    {
        let contexts = of(SqlStore::sqlite(&path).await.unwrap()).await;
        contexts.tokens.insert(&token, None).await.unwrap();
        let ids = &contexts.jwt_ids;
        let used = ids.consume("app", &jti, records::end(), before).await;
        assert!(used.unwrap());
        contexts
            .codes
            .insert(records::code("the code itself"), records::end())
            .await
            .unwrap();
        assert!(
            contexts
                .codes
                .consume(&TokenHash::of("the code itself"))
                .await
                .unwrap()
        );
    }
    let contexts = of(SqlStore::sqlite(&path).await.unwrap()).await;
    assert!(contexts.tokens.get(&token.hash).await.unwrap().is_some());
    let ids = &contexts.jwt_ids;
    let used = ids.consume("app", &jti, records::end(), before).await;
    assert!(!used.unwrap());
    assert!(
        !contexts
            .codes
            .consume(&TokenHash::of("the code itself"))
            .await
            .unwrap()
    );
    for file in std::fs::read_dir(&folder.0).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [
            "the token itself",
            "the code itself",
            "her pass phrase",
            "a long and",
        ] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn its_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("rights");
    let path = folder.0.join("oauth.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(&folder.0).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
        files += 1;
    }
    assert!(files > 1, "its log is one of them");
    drop(store);
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(&path, open).unwrap();
    assert!(SqlStore::sqlite(&path).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_share_a_file_and_another_version_is_refused() {
    let folder = Folder::new("shared");
    let path = folder.0.join("oauth.db");
    let (one, other) = tokio::join!(SqlStore::sqlite(&path), SqlStore::sqlite(&path));
    let (one, other) = (of(one.unwrap()).await, of(other.unwrap()).await);
    one.codes
        .insert(records::code("shared"), records::end())
        .await
        .unwrap();
    let hash = TokenHash::of("shared");
    let (first, second) = tokio::join!(one.codes.consume(&hash), other.codes.consume(&hash));
    assert_ne!(first.unwrap(), second.unwrap());
    nodes::run(&one, &other).await;

    let newer = rusqlite::Connection::open(&path).unwrap();
    newer
        .execute("UPDATE oauth_version SET version = 99", [])
        .unwrap();
    assert!(SqlStore::sqlite(&path).await.is_err());
    assert!(
        SqlStore::sqlite(folder.0.clone()).await.is_err(),
        "a folder"
    );
}

/// As many as one client may have pending are there already.
#[tokio::test]
async fn a_client_has_only_so_many_pending() {
    let folder = Folder::new("full");
    let path = folder.0.join("oauth.db");
    let contexts = of(SqlStore::sqlite(&path).await.unwrap()).await;
    let until = i64::try_from(
        records::end()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_micros(),
    );
    let fill = rusqlite::Connection::open(&path).unwrap();
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let codes = "INSERT INTO oauth_device_codes (hash, user_code, client_id, size, ends_at, record) \
                 SELECT 'h' || i, 'u' || i, 'app', 1, ?2, '{}' FROM n";
    let ids = "INSERT INTO oauth_jwt_ids (id, client_id, size, ends_at) \
               SELECT 'i' || i, 'app', 1, ?2 FROM n";
    for (count, insert) in [(10_000_i64, codes), (100_000, ids)] {
        let sql = format!("{rows} {insert}");
        let filled = fill
            .execute(&sql, (count, until.as_ref().unwrap()))
            .unwrap();
        assert_eq!(i64::try_from(filled), Ok(count));
    }
    let before = records::end() - std::time::Duration::from_secs(1);
    let one_more = || records::device("one more", "ONEMORE");
    assert!(contexts.devices.insert(one_more(), before).await.is_err());
    let mut others = records::device("of another", "OTHER");
    others.grant.client_id = "other".into();
    assert!(contexts.devices.insert(others, before).await.unwrap());
    let id = TokenHash::of("a jti");
    let end = records::end();
    assert!(
        contexts
            .jwt_ids
            .consume("app", &id, end, before)
            .await
            .is_err()
    );
    assert!(
        contexts
            .jwt_ids
            .consume("other", &id, end, before)
            .await
            .unwrap()
    );
    // What has ended makes room.
    let id = TokenHash::of("a later jti");
    let later = end + std::time::Duration::from_secs(60);
    assert!(
        contexts
            .jwt_ids
            .consume("app", &id, later, end)
            .await
            .unwrap()
    );
    assert!(contexts.devices.insert(one_more(), end).await.unwrap());
}
