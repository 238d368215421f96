//! Where tokens are kept: SQLite in the user's data folder unless something else is named.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use etcetera::BaseStrategy;
use oauth_core::{
    secrecy::SecretString,
    store::{MemoryStore, TokenStore},
};
use oauth_store::{Backend, Encrypted, Keys, Postgres, Redis, Rotated, Sqlite};

use crate::{failure::Failure, options::StoreUrl, secrets::Input, session::Running, store_key};

/// How many owners are sealed anew at a time.
const BATCH: usize = 100;

/// Opens the store at `url`; every durable one is sealed.
pub(crate) async fn open(
    url: Option<&StoreUrl>,
    key_file: Option<&Path>,
    running: &Running,
) -> Result<Arc<dyn TokenStore>, Failure> {
    let place = Place::of(url)?;
    if matches!(place, Place::Memory) {
        return Ok(Arc::new(MemoryStore::new()));
    }
    Ok(match (place, given_keys(key_file)?) {
        (Place::Other(url), Some(keys)) => {
            oauth_store::open(&url, oauth_store::Protection::Keys(keys)).await?
        }
        (Place::File(path), Some(keys)) => {
            Arc::new(Encrypted::new(sqlite(&path, running).await?, keys))
        }
        (Place::File(path), None) => {
            let sqlite = sqlite(&path, running).await?;
            let (own, lock) = store_key::of(&path, &sqlite).await?;
            running.uses_key(lock);
            Arc::new(Encrypted::new(sqlite, own.keys))
        }
        (Place::Other(_) | Place::Memory, _) => {
            return Err(Failure::usage(
                "this store is shared, so its key must be, too: set OAUTH_STORE_KEY or give --store-key-file",
            ));
        }
    })
}

/// Seals everything with a new key.
pub(crate) async fn rotate_key(
    url: Option<&StoreUrl>,
    key_file: Option<&Path>,
    running: &Running,
) -> Result<Rotated, Failure> {
    let place = Place::of(url)?;
    let given = given_keys(key_file)?;
    match (place, given) {
        (Place::Memory, _) => Err(Failure::usage("memory: has no key")),
        (Place::File(path), Some(keys)) => reseal(sqlite(&path, running).await?, keys).await,
        (Place::File(path), None) => {
            let sqlite = sqlite(&path, running).await?;
            store_key::rotate(&path, &sqlite, async |keys| {
                let rotated = reseal(sqlite.clone(), keys).await?;
                let is_all = rotated.unreadable.is_empty();
                Ok((rotated, is_all))
            })
            .await
        }
        (Place::Other(url), Some(keys)) if url.starts_with("postgres") => {
            reseal(Postgres::connect(&url).await?, keys).await
        }
        (Place::Other(url), Some(keys)) => reseal(Redis::connect(&url).await?, keys).await,
        (Place::Other(_), None) => Err(Failure::usage(
            "this store is shared, so its key must be, too: set OAUTH_STORE_KEY or give --store-key-file, the new key first",
        )),
    }
}

async fn reseal(backend: impl Backend, keys: Keys) -> Result<Rotated, Failure> {
    Ok(Encrypted::new(backend, keys).rotate(BATCH).await?)
}

/// With one connection: another one would take longer to open than it could save.
async fn sqlite(path: &Path, running: &Running) -> Result<Sqlite, Failure> {
    let sqlite = Sqlite::builder(path).readers(0).open().await?;
    running.opened(&sqlite);
    Ok(sqlite)
}

enum Place {
    Memory,
    File(PathBuf),
    /// A server, by its URL.
    Other(String),
}

impl Place {
    fn of(url: Option<&StoreUrl>) -> Result<Self, Failure> {
        let Some(url) = url.map(StoreUrl::as_str) else {
            let folders = etcetera::choose_base_strategy().map_err(|_| {
                Failure::usage("there is no home folder; name a store with --store")
            })?;
            return Ok(Self::File(
                folders.data_dir().join("oauth").join("tokens.db"),
            ));
        };
        if url == "memory:" {
            return Ok(Self::Memory);
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(Failure::usage(
                    "sqlite: must be followed by the path of a file",
                ));
            }
            return Ok(Self::File(path.into()));
        }
        if ["postgres://", "postgresql://", "redis://", "rediss://"]
            .iter()
            .any(|it| url.starts_with(it))
        {
            return Ok(Self::Other(url.to_owned()));
        }
        Err(Failure::usage(
            "a store is sqlite:PATH, postgres://…, redis://…, rediss://… or memory:",
        ))
    }
}

fn given_keys(file: Option<&Path>) -> Result<Option<Keys>, Failure> {
    if let Some(path) = file {
        return Ok(Some(Keys::from_file(path)?));
    }
    let text: Option<SecretString> = Input::default().secret(None, "OAUTH_STORE_KEY")?;
    Ok(text.map(|text| Keys::parse(&text)).transpose()?)
}
