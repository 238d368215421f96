//! Contexts in a database: SQLite in a file, or PostgreSQL.
//!
//! One [`SqlStore`] is all contexts of a server. What must not happen twice is decided by one
//! conditional statement, so several servers may share a database. Its tables begin with `oauth_`
//! and are made, and brought up to date, when the store is opened.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use oauth_server::{AuthorizationServer, Client, GrantType, SecretCost, sql::SqlStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("oauth-server-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("oauth.db");
//! let store = Arc::new(SqlStore::sqlite(&path).await?);
//! let client = Client::builder("reports")
//!     .secret("a long and secret phrase")
//!     .grants([GrantType::ClientCredentials])
//!     .build()?;
//! store.insert_client(&client).await?;
//! let server = AuthorizationServer::builder("https://auth.example")
//!     .sql_store(store)
//!     .build()?;
//! # let _: AuthorizationServer = server;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AuthorizationServerBuilder, BuildError, Client, ContextError, ScopeRecord, SecretCost,
    TokenHash, Verifier,
};

mod access_tokens;
mod codes;
mod driver;
mod people;
#[cfg(feature = "postgres")]
mod postgres;
mod room;
mod schema;
#[cfg(feature = "pages")]
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;

/// The pool that [`SqlStore::postgres`] takes.
#[cfg(feature = "postgres")]
pub use deadpool_postgres;
use driver::{Driver, Step, Value};
use room::Room;
/// The client behind it.
#[cfg(feature = "postgres")]
pub use tokio_postgres;

/// Of so many changes to one record at once, the last still gets its turn.
const TURNS: usize = 10_000;

/// All contexts of a server in one database. Cheap to clone; clones share their connections.
///
/// Of each client it holds about 10 000 device codes, 16 MiB of pushed requests and the ids of
/// 100 000 JWTs; beyond that, another is answered with 503 until some have ended. Strangers could use
/// that up for a public client, which
/// [`public_throttle`](AuthorizationServerBuilder::public_throttle) is against.
#[derive(Clone)]
pub struct SqlStore {
    driver: Arc<dyn Driver>,
    verifier: Verifier,
    cost: SecretCost,
    room: Arc<Room>,
}

impl SqlStore {
    /// Opens the SQLite database in the file at `path`, which is made if it is not there, and is its
    /// owner's alone (0600). All work happens on a thread of its own, which ends with the last clone
    /// of the store; a request for which 1 024 others wait there is answered with 503.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, may be read or written by others, or is of a newer version
    /// of this crate.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl Into<std::path::PathBuf>) -> Result<Self, ContextError> {
        Self::over(Arc::new(sqlite::Sqlite::open(path.into()).await?)).await
    }

    /// Uses a PostgreSQL database through connections of the application's pool, which decides
    /// about TLS, sizes and timeouts.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, or is of a newer version of this crate.
    #[cfg(feature = "postgres")]
    pub async fn postgres(pool: deadpool_postgres::Pool) -> Result<Self, ContextError> {
        Self::over(Arc::new(postgres::Postgres::new(pool))).await
    }

    /// What hashing the passwords of people costs from now on.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn secret_cost(mut self, cost: SecretCost) -> Result<Self, BuildError> {
        self.verifier = Verifier::new(cost)?;
        self.cost = cost;
        Ok(self)
    }

    /// Registers a client, or replaces the one with its id. A token format of its own is not
    /// stored.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn insert_client(&self, client: &Client) -> Result<(), ContextError> {
        let sql = "INSERT INTO oauth_clients (id, record) VALUES ($1, $2) \
                   ON CONFLICT (id) DO UPDATE SET record = excluded.record";
        let params = vec![client.id().into(), record(client)?.into()];
        self.run(sql, params).await.map(drop)
    }

    /// Removes a client; its tokens are inactive from now on. False if there is none.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn remove_client(&self, client_id: &str) -> Result<bool, ContextError> {
        let sql = "DELETE FROM oauth_clients WHERE id = $1";
        Ok(self.run(sql, vec![client_id.into()]).await? > 0)
    }

    /// Adds a scope, or replaces the one with its name.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn insert_scope(&self, scope: &ScopeRecord) -> Result<(), ContextError> {
        let sql = "INSERT INTO oauth_scopes (name, record) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET record = excluded.record";
        let params = vec![scope.name.as_str().into(), record(scope)?.into()];
        self.run(sql, params).await.map(drop)
    }

    async fn over(driver: Arc<dyn Driver>) -> Result<Self, ContextError> {
        schema::migrate(&*driver).await?;
        let cost = SecretCost::DEFAULT;
        let verifier = Verifier::new(cost);
        let verifier =
            verifier.map_err(|error| ContextError::new("no verifier").with_source(error))?;
        Ok(Self {
            driver,
            verifier,
            cost,
            room: Arc::default(),
        })
    }

    /// Runs one statement and says how many rows it changed.
    async fn run(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, ContextError> {
        let changed = self.driver.transact(vec![Step::new(sql, params)]).await?;
        Ok(changed.unwrap_or_default().into_iter().sum())
    }

    async fn rows(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, ContextError> {
        self.driver.rows(sql, params).await
    }

    /// The record in the first column of the first row.
    async fn one<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<T>, ContextError> {
        let rows = self.rows(sql, params).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Text(text)) => read(text).map(Some),
            _ => Ok(None),
        }
    }

    /// Changes the record with this hash: looks, and then writes only over what it saw; otherwise it
    /// looks again. False if there is none. What `columns` makes of it is `$4` and so on.
    async fn change<T: Serialize + DeserializeOwned>(
        &self,
        (look, write): (&'static str, &'static str),
        hash: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut T) + Send),
        columns: fn(&T) -> Vec<Value>,
    ) -> Result<bool, ContextError> {
        let hash = || Value::from(hash.to_string());
        for _ in 0..TURNS {
            let rows = self.rows(look, vec![hash()]).await?;
            let Some([Value::Text(seen)]) = rows.first().map(Vec::as_slice) else {
                return Ok(false);
            };
            let (changed, columns) = {
                let mut stored: T = read(seen)?;
                change(&mut stored);
                (record(&stored)?, columns(&stored))
            };
            if changed == *seen {
                return Ok(true);
            }
            let mut params = vec![hash(), changed.into(), seen.as_str().into()];
            params.extend(columns);
            if self.run(write, params).await? > 0 {
                return Ok(true);
            }
        }
        Err(ContextError::new("too many changes to one record"))
    }

    async fn purged(
        &self,
        sql: &'static str,
        ended: SystemTime,
        limit: usize,
    ) -> Result<usize, ContextError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let removed = self.run(sql, vec![time(ended), limit.into()]).await?;
        Ok(count(removed))
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

impl AuthorizationServerBuilder {
    /// Keeps everything in one database; [`PageSettings::sessions`] takes the same store. The
    /// scopes that exist are those of the clients, unless [`scopes`](Self::scopes) takes it, too.
    ///
    /// [`PageSettings::sessions`]: https://docs.rs/oauth-server/latest/oauth_server/pages/struct.PageSettings.html
    pub fn sql_store(self, store: Arc<SqlStore>) -> Self {
        self.clients(store.clone())
            .access_tokens(store.clone())
            .authorization_codes(store.clone())
            .device_codes(store.clone())
            .pushed_requests(store.clone())
            .jwt_ids(store.clone())
            .resource_owners(store)
    }
}

fn record(record: &impl Serialize) -> Result<String, ContextError> {
    serde_json::to_string(record)
        .map_err(|error| ContextError::new("a record cannot be written").with_source(error))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ContextError> {
    // Serde's messages show what they stumble over.
    serde_json::from_str(text).map_err(|_| ContextError::new("a stored record cannot be read"))
}

/// Microseconds since 1970.
fn time(time: SystemTime) -> Value {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX).into()
}

fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}
