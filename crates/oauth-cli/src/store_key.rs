//! The key of a store on this machine: in the system's keyring, else in a file beside the store.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use oauth_core::{
    random::OsRandom,
    secrecy::{ExposeSecret, SecretString},
};
use oauth_store::{Backend, Key, Keys, Sqlite, backend::Owners};

use crate::{failure::Failure, terminal::say};

/// The name that the keyring knows our keys by.
const SERVICE: &str = "oauth-cli";

/// A key that this program has made, and where it is kept.
pub(crate) struct OwnKey {
    pub(crate) lines: Lines,
    pub(crate) keys: Keys,
    pub(crate) home: Home,
}

/// Keys as they are written down, the newest first.
#[derive(Clone)]
pub(crate) struct Lines(SecretString);

pub(crate) enum Home {
    File(PathBuf),
    Keyring(String),
}

/// The key of the store at `path`; a new one where the store is new.
pub(crate) async fn of(path: &Path, store: &Sqlite) -> Result<OwnKey, Failure> {
    let beside = with_suffix(path, ".key");
    if beside.exists() {
        return read_file(beside);
    }
    // Two that start together must not make two keys.
    let lock = lock(path).await?;
    if beside.exists() {
        return read_file(beside);
    }
    let account = fs::canonicalize(path)
        .map_err(|error| Failure::io("the store's path cannot be resolved", &error))?
        .display()
        .to_string();
    if let Some(text) = in_keyring(&account, keyring::Entry::get_password).await {
        return own(Lines(text.into()), Home::Keyring(account));
    }
    if store.owners(None, 1).await? != Owners::default() {
        return Err(Failure::store(format!(
            "the store {} has tokens, but its key is neither in the system's keyring nor in {}; unlock the keyring, or give the key in OAUTH_STORE_KEY",
            path.display(),
            beside.display()
        )));
    }
    let lines = Lines(new_key()?.to_line());
    let text = lines.clone();
    let set = in_keyring(&account, move |entry| {
        entry.set_password(text.0.expose_secret())
    })
    .await;
    let home = match set {
        Some(()) => Home::Keyring(account),
        None => {
            say(&format!(
                "note: there is no system keyring here, so the key of the token store is in {} (mode 0600)",
                beside.display()
            ));
            Home::File(beside)
        }
    };
    if let Home::File(path) = &home {
        write_file(path, &lines)?;
    }
    drop(lock);
    own(lines, home)
}

/// The same with a new key first.
pub(crate) fn successor(own_key: OwnKey) -> Result<OwnKey, Failure> {
    let new = new_key()?;
    let text = format!(
        "{}\n{}",
        new.to_line().expose_secret(),
        own_key.lines.0.expose_secret()
    );
    own(Lines(text.into()), own_key.home)
}

impl Lines {
    pub(crate) fn newest_alone(&self) -> Self {
        let first = self.0.expose_secret().lines().next().unwrap_or_default();
        Self(first.into())
    }
}

impl Home {
    pub(crate) async fn write(&self, lines: &Lines) -> Result<(), Failure> {
        match self {
            Self::File(path) => write_file(path, lines),
            Self::Keyring(account) => {
                let text = lines.clone();
                let set = in_keyring(account, move |entry| {
                    entry.set_password(text.0.expose_secret())
                })
                .await;
                set.ok_or_else(|| Failure::store("the system's keyring does not take the new key"))
            }
        }
    }
}

fn own(lines: Lines, home: Home) -> Result<OwnKey, Failure> {
    let keys = Keys::parse(&lines.0)?;
    Ok(OwnKey { lines, keys, home })
}

fn read_file(path: PathBuf) -> Result<OwnKey, Failure> {
    // Looks at whose it is, and who else may read it.
    let keys = Keys::from_file(&path)?;
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::store(format!("{} cannot be read: {error}", path.display())))?;
    Ok(OwnKey {
        lines: Lines(text.into()),
        keys,
        home: Home::File(path),
    })
}

fn new_key() -> Result<Key, Failure> {
    let now = std::time::SystemTime::now();
    // Two keys of one store never have one name.
    let name = humantime::format_rfc3339_nanos(now)
        .to_string()
        .replace(':', "-");
    Ok(Key::generate(&name, &OsRandom)?)
}

/// Whole or not at all, and never readable by others.
fn write_file(path: &Path, lines: &Lines) -> Result<(), Failure> {
    let write = || {
        let new = with_suffix(path, &format!(".{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        let written = file
            .write_all(lines.0.expose_secret().as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            // It is ours alone, and of no use.
            let _ = fs::remove_file(&new);
        }
        written
    };
    write().map_err(|error| {
        Failure::store(format!(
            "the key cannot be written to {}: {error}",
            path.display()
        ))
    })
}

/// Asks the system's keyring; `None` when there is none, or it has no such key.
async fn in_keyring<T: Send + 'static>(
    account: &str,
    ask: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
) -> Option<T> {
    let account = account.to_owned();
    let asked = move || ask(&keyring::Entry::new(SERVICE, &account)?);
    let answer: keyring::Result<T> = tokio::task::spawn_blocking(asked).await.ok()?;
    answer.ok()
}

async fn lock(path: &Path) -> Result<File, Failure> {
    let beside = with_suffix(path, ".lock");
    let locked = tokio::task::spawn_blocking(move || {
        let mut options = fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside)?;
        file.lock().map(|()| file)
    });
    match locked.await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => Err(Failure::store(format!(
            "the store's key cannot be locked: {error}"
        ))),
        Err(_) => Err(Failure::store("the store's key cannot be locked")),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
