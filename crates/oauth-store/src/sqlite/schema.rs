//! The tables, and the way to them from older ones.

use std::path::Path;

use oauth_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use super::connection::Failure;

/// Marks the file as a token store (`PRAGMA application_id`): "oatk".
const APPLICATION: i32 = 0x6f61_746b;

/// Each brings a file from the version of its place to the next (`PRAGMA user_version`). What was
/// released is never changed, only added to.
const MIGRATIONS: [&str; 2] = [
    // `version` comes from `counter`, which only grows: no version is given twice.
    "CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        issuer TEXT NOT NULL,
        client_id TEXT NOT NULL,
        kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
        subject TEXT NOT NULL,
        version INTEGER NOT NULL,
        refresh_at INTEGER,
        dead_at INTEGER,
        key_id TEXT,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX record_owner ON record (issuer, client_id, kind, subject);
    CREATE TABLE counter (value INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (0);",
    "CREATE TABLE lease (
        name TEXT PRIMARY KEY,
        fence INTEGER NOT NULL,
        taken INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_refresh_at ON record (refresh_at) WHERE refresh_at IS NOT NULL;
    CREATE INDEX record_dead_at ON record (dead_at) WHERE dead_at IS NOT NULL;",
];

/// Makes `sql` ready: settings, and the newest schema.
pub(super) fn settle(sql: &mut Connection, path: &Path) -> Result<(), Failure> {
    sql.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA secure_delete = FAST;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;
         PRAGMA journal_size_limit = 16777216;",
    )?;
    if version(sql)? < MIGRATIONS.len() {
        // Seen before any lock is taken: a file of somebody else is not written to.
        recognize(sql, path)?;
        let from = version(sql)?;
        migrate(sql, from)?;
    }
    recognize(sql, path)?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    Ok(())
}

/// Brings the schema from version `from` to the newest, or finds that somebody else has.
pub(super) fn migrate(sql: &mut Connection, from: usize) -> Result<(), rusqlite::Error> {
    let transaction = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction)?.max(from);
    for step in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

fn recognize(sql: &Connection, path: &Path) -> Result<(), StoreError> {
    let unreadable = |says: &str| {
        StoreError::new(
            StoreErrorKind::Unreadable,
            format!("{} {says}; it was left as it is", path.display()),
        )
    };
    let application = sql.pragma_query_value(None, "application_id", |row| row.get(0));
    if application != Ok(APPLICATION) {
        return Err(unreadable("is a SQLite file, but no token store"));
    }
    if version(sql).is_ok_and(|version| version > MIGRATIONS.len()) {
        return Err(unreadable(
            "was written by a later version of this library: use that one",
        ));
    }
    Ok(())
}

fn version(sql: &Connection) -> Result<usize, rusqlite::Error> {
    let version: i64 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // No version of ours is negative: it counts as a later one.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
