//! The key of a store on this machine: in the system's keyring, else in a file beside the store.

mod lock;

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

/// A key that this program has made, the ones before it, and where they are kept.
pub(crate) struct OwnKey {
    pub(crate) keys: Keys,
    home: Home,
}

/// Keys as they are written down, the newest first.
#[derive(Clone)]
struct Lines(SecretString);

enum Home {
    File(PathBuf),
    Keyring(String),
}

enum Found {
    Key(OwnKey),
    /// And whether there is a keyring where one could be, else why not.
    Nothing(Result<(), String>),
}

/// The key of the store at `path`, a new one where the store is new. While the lock is held, nobody
/// changes it.
pub(crate) async fn of(path: &Path, store: &Sqlite) -> Result<(OwnKey, File), Failure> {
    let lock = lock::shared(path).await?;
    let keyring = match find(path).await? {
        Found::Key(own) => return Ok((own, lock)),
        Found::Nothing(keyring) => keyring,
    };
    drop(lock);
    make(path, store, keyring).await?;
    let lock = lock::shared(path).await?;
    match find(path).await? {
        Found::Key(own) => Ok((own, lock)),
        Found::Nothing(_) => Err(Failure::store("the store's key is gone again")),
    }
}

/// Has `seal` seal everything with a new key while nobody else uses the store. The key before stays
/// until the next time, for whoever has not heard of the new one.
pub(crate) async fn rotate<T>(
    path: &Path,
    store: &Sqlite,
    seal: impl AsyncFnOnce(Keys) -> Result<(T, bool), Failure>,
) -> Result<T, Failure> {
    // Makes one where the store is new.
    drop(of(path, store).await?);
    let _alone = lock::alone(path, || {
        say("note: waiting until no other command uses the store");
    })
    .await?;
    let Found::Key(OwnKey { home, .. }) = find(path).await? else {
        return Err(Failure::store("the store's key is gone"));
    };
    let lines = home.lines().await?.with_new()?;
    home.write(&lines).await?;
    let (sealed, is_all) = seal(Keys::parse(&lines.0)?).await?;
    if is_all {
        home.write(&lines.newest(2)).await?;
    }
    Ok(sealed)
}

async fn find(path: &Path) -> Result<Found, Failure> {
    let beside = with_suffix(path, ".key");
    if beside.exists() {
        // Looks at whose it is, and who else may read it.
        let keys = Keys::from_file(&beside)?;
        let home = Home::File(beside);
        return Ok(Found::Key(OwnKey { keys, home }));
    }
    let account = account(path)?;
    Ok(
        match in_keyring(&account, keyring::Entry::get_password).await {
            Ok(Some(text)) => Found::Key(OwnKey {
                keys: Keys::parse(&text.into())?,
                home: Home::Keyring(account),
            }),
            Ok(None) => Found::Nothing(Ok(())),
            Err(why) => Found::Nothing(Err(why)),
        },
    )
}

/// Makes the first key, in the keyring if there is one.
async fn make(path: &Path, store: &Sqlite, keyring: Result<(), String>) -> Result<(), Failure> {
    // Two that start together must not make two keys.
    let _alone = lock::alone(path, || ()).await?;
    let beside = with_suffix(path, ".key");
    let keyring = match (beside.exists(), keyring) {
        (true, _) => return Ok(()),
        // Whoever was asked to unlock it, and did not, is not asked again.
        (false, Err(why)) => Err(why),
        (false, Ok(())) => match find(path).await? {
            Found::Key(_) => return Ok(()),
            Found::Nothing(keyring) => keyring,
        },
    };
    if store.owners(None, 1).await? != Owners::default() {
        let why = keyring.err();
        return Err(Failure::store(format!(
            "the store {} has tokens, but its key is not in {}, and {}; unlock the keyring, or give the key in OAUTH_STORE_KEY",
            path.display(),
            beside.display(),
            why.as_deref()
                .unwrap_or("the system's keyring does not have it")
        )));
    }
    let lines = Lines(new_key()?.to_line());
    let kept = match keyring {
        Ok(()) => put_in_keyring(&account(path)?, &lines).await,
        Err(why) => Err(why),
    };
    if let Err(why) = kept {
        write_file(&beside, &lines)?;
        say(&format!(
            "note: {why}, so the key of the token store is in {} (mode 0600)",
            beside.display()
        ));
    }
    Ok(())
}

impl Lines {
    /// The same with a new key first.
    fn with_new(&self) -> Result<Self, Failure> {
        let new = new_key()?.to_line();
        let text = format!("{}\n{}", new.expose_secret(), self.0.expose_secret());
        Ok(Self(text.into()))
    }

    fn newest(&self, count: usize) -> Self {
        let lines = self.0.expose_secret().lines().take(count);
        Self(lines.collect::<Vec<_>>().join("\n").into())
    }
}

impl Home {
    async fn lines(&self) -> Result<Lines, Failure> {
        let text = match self {
            Self::File(path) => fs::read_to_string(path).map_err(|error| {
                Failure::store(format!("{} cannot be read: {error}", path.display()))
            })?,
            Self::Keyring(account) => {
                let text = in_keyring(account, keyring::Entry::get_password).await;
                text.ok()
                    .flatten()
                    .ok_or_else(|| Failure::store("the system's keyring has lost the key"))?
            }
        };
        Ok(Lines(text.into()))
    }

    async fn write(&self, lines: &Lines) -> Result<(), Failure> {
        match self {
            Self::File(path) => write_file(path, lines),
            Self::Keyring(account) => put_in_keyring(account, lines).await.map_err(Failure::store),
        }
    }
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

/// The name of the store's key in the keyring.
fn account(path: &Path) -> Result<String, Failure> {
    let path = fs::canonicalize(path)
        .map_err(|error| Failure::io("the store's path cannot be resolved", &error))?;
    Ok(path.display().to_string())
}

async fn put_in_keyring(account: &str, lines: &Lines) -> Result<(), String> {
    let lines = lines.clone();
    let put = move |entry: &keyring::Entry| entry.set_password(lines.0.expose_secret());
    in_keyring(account, put).await.map(drop)
}

/// Asks the system's keyring; `None` when it has no such key, an error with the reason when it does
/// not answer.
async fn in_keyring<T: Send + 'static>(
    account: &str,
    ask: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
) -> Result<Option<T>, String> {
    let account = account.to_owned();
    let asked = move || ask(&keyring::Entry::new(SERVICE, &account)?);
    match tokio::task::spawn_blocking(asked).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(keyring::Error::NoEntry)) => Ok(None),
        Ok(Err(keyring::Error::NoDefaultStore)) => {
            Err("there is no system keyring here".to_owned())
        }
        Ok(Err(error)) => {
            let why = error.to_string().replace(['\n', '\r'], " ");
            Err(format!("the system's keyring cannot be used ({why})"))
        }
        Err(_) => Err("the system's keyring cannot be used".to_owned()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
