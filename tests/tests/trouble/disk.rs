//! A file on a disk that is full, and then is not.

use std::{fs, io::Write, path::Path, process::Command, sync::Arc};

use oauth_core::{
    ErrorKind, Token,
    manager::{Event, TokenManager},
    store::{Subject, TokenStore},
};
use oauth_emulators::Emulator;
use oauth_store::{Plaintext, Sqlite};

use super::setting::{Hook, client, in_time, is_good, log_in};

/// Where the small disk is, for the process that sees it.
const DISK: &str = "OAUTH_TEST_DISK";

/// A disk of a megabyte is mounted where only this test's second process sees it.
#[test]
fn a_full_disk_loses_no_refresh_token() {
    if let Some(disk) = std::env::var_os(DISK) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.unwrap().block_on(full_and_not(Path::new(&disk)));
    }
    let folder = tempfile::tempdir().unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--", "sh", "-c"]);
        command.arg(format!(
            "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$0\" && {script}"
        ));
        command.arg(folder.path());
        command
    };
    let mounted = unshare("true").output();
    let mounted = mounted.expect("unshare; install the Debian package util-linux");
    assert!(
        mounted.status.success(),
        "a full disk needs a small file system, and nothing may be mounted here: run this as root, \
        or where users may have namespaces of their own (kernel.unprivileged_userns_clone, and no \
        container that forbids mount): {}",
        String::from_utf8_lossy(&mounted.stderr)
    );
    let run = unshare("exec \"$1\" --exact disk::a_full_disk_loses_no_refresh_token --nocapture")
        .arg(std::env::current_exe().unwrap())
        .env(DISK, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{errors}"
    );
}

async fn full_and_not(disk: &Path) {
    let emulated = oauth_emulators::Client::new("once").secret("secret-of-the-test");
    let emulator = Emulator::rfc().client(emulated.one_time_refresh(true));
    let emulator = emulator.start().await.unwrap();
    let client = client(&emulator, &Hook::default()).await;
    let store = Sqlite::open(disk.join("tokens.db")).await.unwrap();
    let store = Arc::new(Plaintext::new(store));
    let tokens = TokenManager::builder(client.clone())
        .shared_store(store.clone())
        .build();
    let user = Subject::user("42");
    tokens.register(&user, log_in(&tokens).await).await.unwrap();
    let owner = tokens.owner(&user);
    let stored = async || {
        let stored = store.load(&owner).await.unwrap().unwrap();
        let token = stored.record.tokens()[0].token.clone();
        token.refresh_token().unwrap().expose_secret().to_owned()
    };
    let before = stored().await;
    let mut events = tokens.events();

    let ballast = disk.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let token = in_time(tokens.select(&user).renew()).await;
    let token = token.expect("the caller's token");
    assert_eq!(
        in_time(tokens.get(&user, None))
            .await
            .unwrap()
            .access_token(),
        token.access_token()
    );
    let failed = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::SaveFailed { error, .. } => Some(error),
        _ => None,
    });
    let error = failed.expect("nobody was told");
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(error.is_transient(), "{error}");
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("full"), "{why}");
    assert_eq!(stored().await, before, "what was stored is there");

    drop(file);
    fs::remove_file(&ballast).unwrap();
    let saved = in_time(async {
        loop {
            let now = stored().await;
            if now != before {
                return now;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(is_good(&client, &saved).await);
}
