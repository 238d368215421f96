//! The tables, and how older ones become those of today.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Object};
use oauth_core::store::{StoreError, StoreErrorKind};
use tokio::time::timeout;
use tokio_postgres::Error;

use super::failure;

/// How long a migration may take, with the wait for another process that migrates.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

/// Each step makes the tables of the next version.
const STEPS: &[&str] = &[
    "CREATE SEQUENCE oauth_store_number;
    CREATE TABLE oauth_store_record (
        id bytea PRIMARY KEY,
        owner text NOT NULL,
        version bigint NOT NULL,
        refresh_at bigint,
        dead_at bigint,
        body bytea NOT NULL
    );
    CREATE INDEX oauth_store_record_refresh_at ON oauth_store_record (refresh_at)
        WHERE refresh_at IS NOT NULL;
    CREATE INDEX oauth_store_record_dead_at ON oauth_store_record (dead_at)
        WHERE dead_at IS NOT NULL;
    CREATE TABLE oauth_store_lease (
        id bytea PRIMARY KEY,
        fence bigint NOT NULL,
        until timestamptz NOT NULL
    );
    CREATE INDEX oauth_store_lease_until ON oauth_store_lease (until);",
    "ALTER TABLE oauth_store_record ADD COLUMN key_id text;
    ALTER TABLE oauth_store_lease ADD COLUMN abandoned boolean NOT NULL DEFAULT false;",
    // What an earlier version takes was taken long ago: it ends as it did.
    "ALTER TABLE oauth_store_lease ADD COLUMN taken timestamptz NOT NULL DEFAULT '-infinity';",
];

/// Whoever migrates holds this lock, which is of the whole database: `oauth-st` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8025287250653942644)";

/// Makes or migrates the tables, and finds out whether they can be written.
pub(super) async fn prepare(connection: &mut Object, limit: Duration) -> Result<(), StoreError> {
    let late = |_| failure::too_slow();
    let refused = |error: Error| failure::refused(&error);
    let found = timeout(limit, version(connection)).await.map_err(late)?;
    if todo_from(found.map_err(refused)?)? < STEPS.len() {
        let migrated = timeout(MIGRATION_LIMIT, migrate(connection)).await;
        migrated.map_err(late)??;
    }
    let may_write = timeout(limit, may_write(connection)).await.map_err(late)?;
    match may_write.map_err(refused)? {
        true => Ok(()),
        false => Err(StoreError::new(
            StoreErrorKind::Configuration,
            "the PostgreSQL user may not write the tables oauth_store_*, or the server is \
            read-only; grant SELECT, INSERT, UPDATE, DELETE on the tables and USAGE on the \
            sequence, and name the primary",
        )),
    }
}

async fn migrate(connection: &mut Object) -> Result<(), StoreError> {
    let refused = |error: Error| failure::refused(&error);
    let transaction = connection.transaction().await.map_err(refused)?;
    // An index over a large table takes longer than a statement may.
    let start = format!("SET LOCAL statement_timeout = 0; {LOCK}");
    transaction.batch_execute(&start).await.map_err(refused)?;
    // Somebody else may have done it while this waited.
    let done = todo_from(version(&transaction).await.map_err(refused)?)?;
    for step in &STEPS[done..] {
        transaction.batch_execute(step).await.map_err(refused)?;
    }
    let note = format!(
        "CREATE TABLE IF NOT EXISTS oauth_store_schema (version integer NOT NULL);
        DELETE FROM oauth_store_schema;
        INSERT INTO oauth_store_schema VALUES ({});",
        STEPS.len()
    );
    transaction.batch_execute(&note).await.map_err(refused)?;
    transaction.commit().await.map_err(refused)
}

/// Where to go on from; an error when there is nowhere to go.
fn todo_from(version: i32) -> Result<usize, StoreError> {
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => Err(StoreError::new(
            StoreErrorKind::Unreadable,
            "the tables were made by a later version of this library; use that version",
        )),
    }
}

async fn version(client: &impl GenericClient) -> Result<i32, Error> {
    // Not to_regclass: it may remember that there was none before another process made it.
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables \
        WHERE tablename = 'oauth_store_schema' AND schemaname = ANY(current_schemas(false)))";
    if !client.query_one(exists, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM oauth_store_schema";
    client.query_one(newest, &[]).await?.try_get(0)
}

async fn may_write(client: &impl GenericClient) -> Result<bool, Error> {
    let statement = "SELECT NOT current_setting('transaction_read_only')::boolean \
        AND has_sequence_privilege('oauth_store_number', 'USAGE') \
        AND bool_and(has_table_privilege(name, right_to)) \
        FROM unnest(ARRAY['oauth_store_record', 'oauth_store_lease']) AS name, \
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS right_to";
    client.query_one(statement, &[]).await?.try_get(0)
}
