//! A store from a URL, for programs that are told by their configuration where tokens are kept.

use std::sync::Arc;

use oauth_core::store::{MemoryStore, StoreError, StoreErrorKind, TokenStore};

#[cfg(feature = "encryption")]
use crate::encrypted::Keys;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
use crate::{backend::Backend, sealing::Plaintext};

/// Whether what a durable store keeps is sealed. There is no default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Protection {
    /// Tokens in clear: every copy of the database is worth as much as they are.
    Plaintext,
    /// Sealed with the first of these keys.
    #[cfg(feature = "encryption")]
    Keys(Keys),
}

/// Opens the store that `url` names:
///
/// - `sqlite:tokens.db`, `sqlite:/var/lib/app/tokens.db`: a file; what follows the colon is its path
/// - `postgres://user:password@host/database`, or `postgresql://`
/// - `redis://user:password@host:6379/0`; `rediss://` with TLS; `unix:///run/redis.sock`
/// - `memory:`: the memory of this process, empty at first; it needs no protection
///
/// ```
/// use oauth_store::{Protection, open};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/tokens.db", folder.path().display());
/// let store = open(&url, Protection::Plaintext).await?;
/// assert!(store.owners(None, 10).await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StoreErrorKind::Configuration`] for a URL of another kind, or one whose feature this build
/// does not have; otherwise what opening the store gives. The URL, which may hold a password, is
/// not repeated.
pub async fn open(url: &str, protection: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(unknown());
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryStore::new())),
        "sqlite" => sqlite(rest, protection).await,
        "postgres" | "postgresql" => postgres(url, protection).await,
        "redis" | "rediss" | "redis+unix" | "unix" => redis(url, protection).await,
        _ => Err(unknown()),
    }
}

#[cfg(feature = "sqlite")]
async fn sqlite(path: &str, protection: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    // sqlite:///var/tokens.db says the same as sqlite:/var/tokens.db.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(wrong("sqlite: must be followed by the path of a file"));
    }
    Ok(protect(
        crate::sqlite::Sqlite::open(path).await?,
        protection,
    ))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, protection: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    Ok(protect(
        crate::postgres::Postgres::connect(url).await?,
        protection,
    ))
}

#[cfg(feature = "redis")]
async fn redis(url: &str, protection: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    Ok(protect(
        crate::redis::Redis::connect(url).await?,
        protection,
    ))
}

#[cfg(not(feature = "sqlite"))]
async fn sqlite(_: &str, _: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    Err(wrong(
        "this build has no SQLite: enable the feature `sqlite` of oauth-store",
    ))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_: &str, _: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    Err(wrong(
        "this build has no PostgreSQL: enable the feature `postgres` of oauth-store",
    ))
}

#[cfg(not(feature = "redis"))]
async fn redis(_: &str, _: Protection) -> Result<Arc<dyn TokenStore>, StoreError> {
    Err(wrong(
        "this build has no Redis: enable the feature `redis` of oauth-store",
    ))
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
fn protect(backend: impl Backend, protection: Protection) -> Arc<dyn TokenStore> {
    match protection {
        Protection::Plaintext => Arc::new(Plaintext::new(backend)),
        #[cfg(feature = "encryption")]
        Protection::Keys(keys) => Arc::new(crate::Encrypted::new(backend, keys)),
    }
}

fn unknown() -> StoreError {
    wrong("a store's URL must begin with sqlite:, postgres://, redis://, rediss:// or be memory:")
}

fn wrong(message: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}
