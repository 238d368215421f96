//! One connection: opened, checked, opened again when the file was exchanged.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use oauth_core::store::{StoreError, StoreErrorKind};
use rusqlite::{OpenFlags, TransactionBehavior};

use super::{create, error, file, schema};

/// What every connection of a store needs to know.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    /// How long SQLite waits for other writers.
    pub(super) busy: Duration,
    pub(super) max_pages: Option<u32>,
    /// How often a connection of the store has found another file, or none.
    pub(super) exchanged: Arc<AtomicU64>,
}

/// A connection that is opened when it is first needed.
#[derive(Debug)]
pub(super) struct Connection {
    settings: Settings,
    open: Option<Open>,
    /// Whether the file was found at its path since [`Connection::look_again`].
    looked: bool,
    /// When that was last called, and what the others had found until then.
    asked: Option<(Instant, u64)>,
    read_only: bool,
}

#[derive(Debug)]
struct Open {
    sql: rusqlite::Connection,
    file: file::Identity,
}

impl Connection {
    pub(super) fn new(settings: Settings, read_only: bool) -> Self {
        Self {
            settings,
            open: None,
            looked: false,
            asked: None,
            read_only,
        }
    }

    /// Has the next statement find out whether the file is still at its path.
    pub(super) fn look_again(&mut self) {
        self.looked = false;
    }

    /// The same where that was not asked for within `pause`, or another connection has found another
    /// file since: who has saved there reads there.
    pub(super) fn look_after(&mut self, pause: Duration, now: Instant) {
        let exchanged = self.settings.exchanged.load(Ordering::Acquire);
        let recent = |(asked, seen)| now.duration_since(asked) <= pause && seen == exchanged;
        if !self.asked.is_some_and(recent) {
            self.asked = Some((now, exchanged));
            self.look_again();
        }
    }

    /// Makes the file if there is none, and opens it.
    pub(super) fn create(&mut self) -> Result<(), StoreError> {
        let path = file::path(&self.settings.path)?;
        if file::identity(&path)?.is_none() {
            create::file(&path)?;
        }
        self.run(|_| Ok(()))
    }

    /// Closes it, until it is needed again.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Runs one statement, or several that need not fit together.
    pub(super) fn run<T>(
        &mut self,
        act: impl FnOnce(&rusqlite::Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let done = act(&self.ready()?.sql);
        done.map_err(|failure| self.explain(failure))
    }

    /// Runs `act` in a transaction, which is on the disk when this returns.
    pub(super) fn transaction<T>(
        &mut self,
        act: impl FnOnce(&rusqlite::Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let done = self.ready()?.transaction(act);
        done.map_err(|failure| self.explain(failure))
    }

    /// Runs `act` in a transaction that a power cut may undo, as it ends whoever relied on it. The
    /// next synced one takes it along: numbers given out before that one stay given out.
    pub(super) fn unsynced<T>(
        &mut self,
        act: impl FnOnce(&rusqlite::Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let open = self.ready()?;
        let relaxed = open.sync("NORMAL");
        let done = relaxed.and_then(|()| open.transaction(act));
        if open.sync("FULL").is_err() {
            // Nothing may be saved on a connection that does not sync what it saves.
            self.open = None;
        }
        done.map_err(|failure| self.explain(failure))
    }

    /// Lets go of a file that is not at the path any more.
    fn lose(&mut self) {
        if self.open.take().is_some() {
            self.settings.exchanged.fetch_add(1, Ordering::Release);
        }
    }

    /// The connection to the file that is at the path, or was when it was last looked.
    fn ready(&mut self) -> Result<&mut Open, StoreError> {
        if self.looked
            && let Some(open) = self.open.take()
        {
            return Ok(self.open.insert(open));
        }
        let path = &self.settings.path;
        let found = match &self.open {
            Some(_) => file::identity(path),
            None => file::path(path).and_then(|path| file::identity(&path)),
        }?;
        let Some(found) = found else {
            let gone = format!(
                "the token store {} is gone; put it back, or start again for an empty one",
                path.display()
            );
            self.lose();
            return Err(StoreError::new(StoreErrorKind::Unavailable, gone));
        };
        if self.open.as_ref().is_some_and(|open| open.file != found) {
            tracing::warn!(path = %path.display(), "the token store was exchanged for another file");
            self.lose();
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.settings, found, self.read_only)
                .map_err(|failure| self.explain(failure))?,
        };
        self.looked = true;
        Ok(self.open.insert(open))
    }

    fn explain(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Sql(sql) => error::explain(sql, &self.settings.path),
            Failure::Store(error) => error,
        }
    }
}

impl Open {
    fn new(settings: &Settings, file: file::Identity, read_only: bool) -> Result<Self, Failure> {
        let path = file::path(&settings.path)?;
        file::check(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut sql = rusqlite::Connection::open_with_flags(&path, flags)?;
        sql.busy_timeout(settings.busy)?;
        sql.set_prepared_statement_cache_capacity(32);
        schema::settle(&mut sql, &path)?;
        if let Some(pages) = settings.max_pages {
            sql.pragma_update(None, "max_page_count", pages)?;
        }
        if read_only {
            sql.pragma_update(None, "query_only", true)?;
        }
        Ok(Self { sql, file })
    }

    fn sync(&self, how: &str) -> Result<(), Failure> {
        let how = format!("PRAGMA synchronous = {how}");
        Ok(self.sql.execute_batch(&how)?)
    }

    fn transaction<T>(
        &mut self,
        act: impl FnOnce(&rusqlite::Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let transaction = self
            .sql
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = act(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// What stops a statement: SQLite, or what it found.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_unsynced_transaction_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: folder.path().join("tokens.db"),
            busy: Duration::ZERO,
            max_pages: None,
            exchanged: Arc::default(),
        };
        let mut connection = Connection::new(settings, false);
        connection.create().unwrap();
        synced(&mut connection);
        let level = connection.unsynced(|sql| Ok(level(sql)));
        assert_eq!(level.unwrap(), 1, "a lease waits for the disk");
        synced(&mut connection);
        let failed = connection.unsynced(|sql| Ok(sql.execute_batch("nonsense")?));
        failed.unwrap_err();
        synced(&mut connection);
    }

    /// WAL and full sync: an acknowledged save is on the disk.
    fn synced(connection: &mut Connection) {
        let set = connection.run(|sql| {
            let journal = sql.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((level(sql), journal))
        });
        assert_eq!(set.unwrap(), (2, "wal".to_owned()));
    }

    fn level(sql: &rusqlite::Connection) -> i32 {
        let level = sql.pragma_query_value(None, "synchronous", |row| row.get(0));
        level.unwrap()
    }
}
