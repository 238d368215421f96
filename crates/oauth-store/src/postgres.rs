//! PostgreSQL: one database for the machines of a fleet.
//!
//! ```no_run
//! use oauth_store::{Plaintext, postgres::Postgres};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let database = Postgres::connect("postgres://oauth@db.example.com/oauth?sslmode=require").await?;
//! let store = Plaintext::new(database);
//! # Ok::<(), oauth_core::store::StoreError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A save is one statement: it compares the version, checks the lease's fencing number and writes,
//! or does nothing. PostgreSQL acknowledges it when it is on disk: every connection asks for
//! `synchronous_commit = on`, which with synchronous standbys includes their disks. A server that
//! runs with `fsync = off` loses acknowledged writes when its machine stops.
//!
//! Versions and fencing numbers come from a sequence, and leases run on the server's clock. The
//! tables are made in the first schema of the `search_path`; another schema is one URL parameter:
//! `options=-csearch_path%3Doauth`.

mod body;
mod builder;
mod failure;
mod roots;
mod schema;
mod statements;

use std::{
    fmt,
    pin::pin,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use oauth_core::store::{Lease, Owner, StoreError, StoreErrorKind, Version};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use zeroize::Zeroizing;

use body::Body;
pub use builder::PostgresBuilder;
use statements::{INSERT, LEASE, LOAD, PURGE, PURGE_LEASES, RELEASE, UPDATE};

use crate::{
    backend::{Backend, Owners, Row, Sealed},
    moment, owner_name,
};

/// How many rows [`Backend::clear`] removes with one statement.
const CLEARED_AT_ONCE: i64 = 10_000;

/// A pool of connections to a PostgreSQL database. Clones share it.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    limit: Duration,
}

impl Postgres {
    /// Connects to the database of `url` with the default settings, and makes or migrates its
    /// tables.
    ///
    /// # Errors
    /// As [`PostgresBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// Settings for the database of `url`: `postgres://user:password@host:port/database`.
    pub fn builder(url: &str) -> PostgresBuilder {
        PostgresBuilder::new(url)
    }

    async fn rows(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let mut held = None;
        let answer = {
            // Pinned here: a future that is moved into the timeout is copied and kept twice.
            let asked = pin!(async {
                let connection = self.pool.get().await.map_err(failure::no_connection)?;
                let connection = held.insert(connection);
                let statement = connection.prepare_cached(statement).await;
                let answer = match statement {
                    Ok(statement) => connection.query(&statement, parameters).await,
                    Err(error) => Err(error),
                };
                Ok(answer)
            });
            timeout(self.limit, asked).await
        };
        let (error, usable) = match answer {
            Ok(Ok(Ok(rows))) => return Ok(rows),
            Ok(Ok(Err(error))) => (failure::refused(&error), failure::leaves_usable(&error)),
            Ok(Err(error)) => return Err(error),
            // The answer may still come: whoever used the connection next would wait for it.
            Err(_) => (failure::too_slow(), false),
        };
        if let Some(connection) = held
            && !usable
        {
            // What has ended this one may have ended the idle ones.
            drop(Object::take(connection));
            self.pool.retain(|_, _| false);
        }
        Err(error)
    }

    async fn row(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<tokio_postgres::Row>, StoreError> {
        Ok(self.rows(statement, parameters).await?.pop())
    }

    async fn count(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<usize, StoreError> {
        // The statements return one empty row for each row they changed.
        Ok(self.rows(statement, parameters).await?.len())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("pool", &self.pool.status())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn load(&self, owner: &Owner) -> Result<Option<Row>, StoreError> {
        let id = id(&owner_name::write(owner));
        let row = self.row(LOAD, &[&id]).await?;
        row.map(|row| read(&row).map_err(|error| failure::damaged(&error)))
            .transpose()
    }

    async fn save(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let name = owner_name::write(owner);
        let id = id(&name);
        let body = Body(&sealed.bytes);
        let key_id = sealed.key_id.as_deref();
        let refresh_at = sealed.refresh_at.map(moment::write);
        let dead_at = sealed.dead_at.map(moment::write);
        let lease_id = lease.map(|lease| self::id(lease.name()));
        let fence = lease.map(|lease| number(lease.fence()));
        let row = match replaces.map(|version| number(version.get())) {
            None => {
                let row: [&(dyn ToSql + Sync); 8] = [
                    &lease_id,
                    &fence,
                    &id,
                    &body,
                    &key_id,
                    &refresh_at,
                    &dead_at,
                    &name,
                ];
                self.row(INSERT, &row).await?
            }
            Some(version) => {
                let row: [&(dyn ToSql + Sync); 8] = [
                    &lease_id,
                    &fence,
                    &id,
                    &body,
                    &key_id,
                    &refresh_at,
                    &dead_at,
                    &version,
                ];
                self.row(UPDATE, &row).await?
            }
        };
        let row = row.ok_or_else(failure::no_answer)?;
        let damaged = |error| failure::damaged(&error);
        if row.try_get("fenced").map_err(damaged)? {
            return Err(StoreError::new(
                StoreErrorKind::Fenced,
                "the lease ran out and was given to somebody else",
            ));
        }
        match row.try_get::<_, Option<i64>>("version").map_err(damaged)? {
            Some(version) => Ok(Version::new(version.unsigned_abs())),
            None => Err(StoreError::new(
                StoreErrorKind::Conflict,
                "another version of the record is stored",
            )),
        }
    }

    async fn reseal(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        version: Version,
    ) -> Result<bool, StoreError> {
        let statement = "UPDATE oauth_store_record SET body = $3, key_id = $4 \
            WHERE id = $1 AND version = $2 RETURNING 1";
        let id = id(&owner_name::write(owner));
        let body = Body(&sealed.bytes);
        let key_id = sealed.key_id.as_deref();
        let done = self
            .count(statement, &[&id, &number(version.get()), &body, &key_id])
            .await?;
        Ok(done > 0)
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        let statement = "DELETE FROM oauth_store_record WHERE id = $1 RETURNING 1";
        let gone = self
            .count(statement, &[&id(&owner_name::write(owner))])
            .await?;
        Ok(gone > 0)
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        let statement = "DELETE FROM oauth_store_record WHERE id = ANY(ARRAY(\
            SELECT id FROM oauth_store_record ORDER BY id LIMIT $1 FOR UPDATE)) RETURNING 1";
        let mut gone = 0;
        loop {
            let batch = self.count(statement, &[&CLEARED_AT_ONCE]).await? as u64;
            gone += batch;
            // Who goes on writing cannot keep this busy for ever.
            if batch < CLEARED_AT_ONCE.unsigned_abs() {
                return Ok(gone);
            }
        }
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        // The operator takes a number of a kind that this is exact for.
        let ttl = moment::ttl(ttl) as f64;
        let Some(row) = self.row(LEASE, &[&id(name), &ttl]).await? else {
            return Ok(None);
        };
        let damaged = |error| failure::damaged(&error);
        let fence: i64 = row.try_get("fence").map_err(damaged)?;
        let abandoned = row.try_get("abandoned").map_err(damaged)?;
        Ok(Some(
            Lease::new(name, fence.unsigned_abs()).with_abandoned(abandoned),
        ))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let (fence, abandoned) = (number(lease.fence()), lease.was_abandoned());
        self.rows(RELEASE, &[&id(lease.name()), &fence, &abandoned])
            .await?;
        Ok(())
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        let statement = "SELECT owner FROM oauth_store_record WHERE refresh_at < $1 \
            ORDER BY refresh_at LIMIT $2 OFFSET $3";
        let (before, limit) = (moment::write(before), count(limit));
        let mut skipped = 0;
        loop {
            let rows = self.rows(statement, &[&before, &limit, &skipped]).await?;
            let owners = owner_name::readable(names(&rows));
            // Those whose names cannot be read must not hide the others.
            if rows.is_empty() || !owners.is_empty() {
                return Ok(owners);
            }
            skipped += count(rows.len());
        }
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        let gone = self
            .count(PURGE, &[&moment::write(before), &count(limit)])
            .await?;
        self.rows(PURGE_LEASES, &[&count(limit)]).await?;
        Ok(gone)
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Owners, StoreError> {
        let statement =
            "SELECT owner, id FROM oauth_store_record WHERE id > $1 ORDER BY id LIMIT $2";
        let mut after = after.map_or_else(Vec::new, |owner| id(&owner_name::write(owner)));
        let mut found = Owners::default();
        loop {
            let rows = self.rows(statement, &[&after, &count(limit)]).await?;
            owner_name::add(&mut found, names(&rows));
            match rows.last() {
                Some(last) if found.owners.is_empty() => {
                    after = last
                        .try_get("id")
                        .map_err(|error| failure::damaged(&error))?;
                }
                _ => return Ok(found),
            }
        }
    }
}

/// What a row is found under: names can be longer than an index allows.
fn id(name: &str) -> Vec<u8> {
    Sha256::digest(name).to_vec()
}

/// Numbers of the sequence, which counts up from 1.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The columns of [`LOAD`], in its order.
fn read(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let version: i64 = row.try_get(0)?;
    let bytes = Zeroizing::new(row.try_get(1)?);
    let key_id: Option<&str> = row.try_get(2)?;
    let times: [Option<i64>; 2] = [row.try_get(3)?, row.try_get(4)?];
    let [refresh_at, dead_at] = times.map(|time| time.map(moment::read));
    Ok(Row {
        sealed: Sealed {
            bytes,
            key_id: key_id.map(Into::into),
            refresh_at,
            dead_at,
        },
        version: Version::new(version.unsigned_abs()),
    })
}

/// The names in the first column.
fn names(rows: &[tokio_postgres::Row]) -> impl Iterator<Item = &[u8]> {
    rows.iter()
        .map(|row| row.try_get::<_, &str>(0).unwrap_or_default().as_bytes())
}
