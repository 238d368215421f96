//! The tables, and how they come to be.

use super::{
    Value,
    driver::{Driver, Step},
};
use crate::ContextError;

/// Each entry brings the tables from one version to the next; what was released is never changed.
const VERSIONS: &[&[&str]] = &[&[
    "CREATE TABLE oauth_clients (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE oauth_scopes (name TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE oauth_resource_owners (username TEXT PRIMARY KEY, subject TEXT NOT NULL, password TEXT NOT NULL)",
    "CREATE TABLE oauth_claims (subject TEXT PRIMARY KEY, claims TEXT NOT NULL)",
    "CREATE TABLE oauth_removed_subjects (subject TEXT PRIMARY KEY)",
    "CREATE TABLE oauth_access_tokens (hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL, client_id TEXT NOT NULL, subject TEXT, ends_at BIGINT NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX oauth_access_tokens_grant ON oauth_access_tokens (grant_id)",
    "CREATE INDEX oauth_access_tokens_end ON oauth_access_tokens (ends_at)",
    "CREATE TABLE oauth_refresh_tokens (hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL, client_id TEXT NOT NULL, subject TEXT, ends_at BIGINT NOT NULL, record TEXT NOT NULL, consumed BIGINT NOT NULL)",
    "CREATE INDEX oauth_refresh_tokens_grant ON oauth_refresh_tokens (grant_id)",
    "CREATE INDEX oauth_refresh_tokens_end ON oauth_refresh_tokens (ends_at)",
    "CREATE TABLE oauth_revoked_grants (grant_id TEXT PRIMARY KEY, ends_at BIGINT NOT NULL)",
    "CREATE INDEX oauth_revoked_grants_end ON oauth_revoked_grants (ends_at)",
    "CREATE TABLE oauth_codes (hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL, client_id TEXT NOT NULL, subject TEXT, ends_at BIGINT NOT NULL, record TEXT NOT NULL, consumed BIGINT NOT NULL, dead BIGINT NOT NULL)",
    "CREATE INDEX oauth_codes_end ON oauth_codes (ends_at)",
    "CREATE TABLE oauth_device_codes (hash TEXT PRIMARY KEY, user_code TEXT NOT NULL UNIQUE, client_id TEXT NOT NULL, subject TEXT, size BIGINT NOT NULL, ends_at BIGINT NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX oauth_device_codes_subject ON oauth_device_codes (subject)",
    "CREATE INDEX oauth_device_codes_client ON oauth_device_codes (client_id, size)",
    "CREATE INDEX oauth_device_codes_end ON oauth_device_codes (ends_at)",
    "CREATE TABLE oauth_pushed_requests (hash TEXT PRIMARY KEY, client_id TEXT NOT NULL, size BIGINT NOT NULL, ends_at BIGINT NOT NULL, record TEXT NOT NULL, consumed BIGINT NOT NULL)",
    "CREATE INDEX oauth_pushed_requests_client ON oauth_pushed_requests (client_id, size)",
    "CREATE INDEX oauth_pushed_requests_end ON oauth_pushed_requests (ends_at)",
    "CREATE TABLE oauth_jwt_ids (id TEXT PRIMARY KEY, client_id TEXT NOT NULL, size BIGINT NOT NULL, ends_at BIGINT NOT NULL)",
    "CREATE INDEX oauth_jwt_ids_client ON oauth_jwt_ids (client_id, size)",
    "CREATE INDEX oauth_jwt_ids_end ON oauth_jwt_ids (ends_at)",
    "CREATE TABLE oauth_sessions (hash TEXT PRIMARY KEY, ends_at BIGINT NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX oauth_sessions_end ON oauth_sessions (ends_at)",
]];

/// Brings the tables up to date. Of several servers that start at once, one does.
pub(super) async fn migrate(driver: &dyn Driver) -> Result<(), ContextError> {
    let create =
        "CREATE TABLE IF NOT EXISTS oauth_version (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)";
    let first = "INSERT INTO oauth_version (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING";
    let mut steps = driver.lock(None);
    steps.push(Step::new(create, Vec::new()));
    steps.push(Step::new(first, Vec::new()));
    driver.transact(steps).await?;
    for (from, statements) in (0_i64..).zip(VERSIONS) {
        let turn = "UPDATE oauth_version SET version = $1 WHERE id = 1 AND version = $2";
        let mut steps = driver.lock(None);
        steps.push(Step::required(turn, vec![(from + 1).into(), from.into()]));
        let statements = statements.iter();
        steps.extend(statements.map(|sql| Step::new(sql, Vec::new())));
        driver.transact(steps).await?;
    }
    let known = i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX);
    let found = driver
        .rows("SELECT version FROM oauth_version", Vec::new())
        .await?;
    match found.first().and_then(|row| row.first()) {
        Some(Value::Int(version)) if *version == known => Ok(()),
        _ => Err(ContextError::new("the database is of another version")),
    }
}
