//! A SQLite file: for the processes of one machine, without a server.
//!
//! Writes go through one connection and one thread, one transaction each, synced to the disk
//! before they are acknowledged; reads go beside them through others (WAL mode). The file must lie
//! on a file system of this machine: over a network, locks do not hold what they promise.
//!
//! ```
//! use oauth_store::{Plaintext, sqlite::Sqlite};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("tokens.db");
//! let store = Plaintext::new(Sqlite::open(path).await?);
//! # let _ = store;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod connection;
mod create;
mod error;
mod file;
mod leases;
mod rows;
mod schema;
mod workers;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::{
    clock::Clock,
    store::{Lease, Owner, StoreError, Version},
};

use self::{
    clock::BootClock,
    connection::{Connection, Settings},
    workers::Workers,
};
use crate::backend::{Backend, Owners, Row, Sealed};

/// A SQLite file as a backend. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Sqlite {
    workers: Arc<Workers>,
    clock: Arc<dyn Clock>,
}

/// How a file is to be opened.
#[derive(Debug, Clone)]
pub struct SqliteBuilder {
    path: PathBuf,
    time_limit: Duration,
    readers: usize,
    max_pages: Option<u32>,
    clock: Arc<dyn Clock>,
}

impl Sqlite {
    /// Opens the file at `path`, or makes it, and the folders above it.
    ///
    /// # Errors
    /// As [`SqliteBuilder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(path).open().await
    }

    /// Opens the file at `path` with other settings than the usual ones.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteBuilder {
        SqliteBuilder {
            path: path.into(),
            time_limit: Duration::from_secs(5),
            readers: 2,
            max_pages: None,
            clock: Arc::new(BootClock),
        }
    }

    /// Closes the file, until the next call opens it again. What is in the log beside it is in the
    /// file afterwards, unless others have it open. For a program that is about to end: the threads
    /// that would see to this when the last handle is gone end with the program, and who opens the
    /// file next has the log to read.
    ///
    /// # Errors
    /// When calls that came before take too long.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.workers.close().await
    }

    async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.workers.write(act).await
    }

    async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.workers.read(act).await
    }
}

impl SqliteBuilder {
    /// How long a call may take, waiting for other processes included. Five seconds.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How many threads read. Two. Without any, the thread that writes reads, too: a program that
    /// does one thing at a time starts sooner.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// How large the file may become, in pages of 4096 bytes. As large as the disk.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// What leases run on: its monotonic time must be the same in every process that uses the file.
    /// The time since the machine was started.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the file, or makes it with mode 0600, and the folders above it with 0700. A file of an
    /// older version of this library is brought up to date.
    ///
    /// # Errors
    /// [`Configuration`] when somebody else could read or replace the file: a symbolic link,
    /// another owner, rights for others, a folder in which others may write. [`Unreadable`] when it
    /// is damaged, of a later version or no token store; it is left as it is.
    ///
    /// [`Configuration`]: oauth_core::store::StoreErrorKind::Configuration
    /// [`Unreadable`]: oauth_core::store::StoreErrorKind::Unreadable
    pub async fn open(self) -> Result<Sqlite, StoreError> {
        let settings = Settings {
            path: self.path,
            busy: self.time_limit,
            max_pages: self.max_pages,
            exchanged: Arc::default(),
        };
        let workers = Workers::start(settings, self.readers, self.time_limit).await?;
        Ok(Sqlite {
            workers: Arc::new(workers),
            clock: self.clock,
        })
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn load(&self, owner: &Owner) -> Result<Option<Row>, StoreError> {
        let owner = owner.clone();
        self.workers
            .look_up(move |db| db.run(|sql| rows::load(sql, &owner)))
            .await
    }

    async fn save(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let (owner, sealed, lease) = (owner.clone(), sealed.clone(), lease.cloned());
        self.write(move |db| {
            db.transaction(|sql| {
                if let Some(lease) = &lease {
                    leases::check(sql, lease)?;
                }
                rows::save(sql, &owner, &sealed, replaces)
            })
        })
        .await
    }

    async fn reseal(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        version: Version,
    ) -> Result<bool, StoreError> {
        let (owner, sealed) = (owner.clone(), sealed.clone());
        self.write(move |db| db.transaction(|sql| rows::reseal(sql, &owner, &sealed, version)))
            .await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        let owner = owner.clone();
        self.write(move |db| db.transaction(|sql| rows::remove(sql, &owner)))
            .await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.write(|db| db.transaction(rows::clear)).await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let (name, clock) = (name.to_owned(), Arc::clone(&self.clock));
        self.write(move |db| db.unsynced(|sql| leases::take(sql, &name, ttl, || clock.monotonic())))
            .await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        self.write(move |db| db.unsynced(|sql| leases::release(sql, &lease, now)))
            .await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.read(move |db| db.run(|sql| rows::due(sql, before, limit)))
            .await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        let now = self.clock.monotonic();
        self.write(move |db| {
            db.transaction(|sql| {
                leases::forget(sql, now)?;
                rows::purge(sql, before, limit)
            })
        })
        .await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Owners, StoreError> {
        let after = after.cloned();
        let owners = self.read(move |db| db.run(|sql| rows::owners(sql, after.as_ref(), limit)));
        Ok(owners.await?.into())
    }
}
