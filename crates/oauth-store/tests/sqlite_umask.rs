//! Rights do not depend on the umask, which is the whole process's: hence a file of its own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use oauth_store::{Backend, Sqlite};
use rustix::fs::Mode;

#[tokio::test]
async fn the_umask_neither_gives_nor_takes_rights() {
    for umask in [0, 0o777] {
        let folder = tempfile::tempdir().unwrap();
        rustix::process::umask(Mode::from_raw_mode(umask));
        let path = folder.path().join("made/tokens.db");
        let store = Sqlite::open(&path).await.unwrap();
        store.lease("name", Duration::from_secs(1)).await.unwrap();
        let made = path.parent().unwrap();
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(made), 0o700, "umask {umask:o}");
        let mut files = 0;
        for entry in fs::read_dir(made).unwrap() {
            let file = entry.unwrap().path();
            assert_eq!(mode(&file), 0o600, "umask {umask:o}: {}", file.display());
            files += 1;
        }
        assert!(
            files >= 3,
            "{files} files: the log and its index are missing"
        );
    }
}
