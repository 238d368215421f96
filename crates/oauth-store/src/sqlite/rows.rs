//! Rows. Times are milliseconds since 1970; versions and fences are the bits of an `i64`.

use std::time::{Duration, SystemTime};

use oauth_core::store::{Owner, StoreError, StoreErrorKind, Subject, Version};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::connection::Failure;
use crate::backend::{Row, Sealed};

const DUE: &str = "SELECT issuer, client_id, kind, subject FROM record
    WHERE refresh_at < ? ORDER BY refresh_at LIMIT ?";
const PURGE: &str = "DELETE FROM record WHERE id IN
    (SELECT id FROM record WHERE dead_at < ? ORDER BY dead_at LIMIT ?)";
const FIRST_OWNERS: &str = "SELECT issuer, client_id, kind, subject FROM record
    ORDER BY issuer, client_id, kind, subject LIMIT ?";
const NEXT_OWNERS: &str = "SELECT issuer, client_id, kind, subject FROM record
    WHERE (issuer, client_id, kind, subject) > (?, ?, ?, ?)
    ORDER BY issuer, client_id, kind, subject LIMIT ?";

pub(super) fn load(sql: &Connection, owner: &Owner) -> Result<Option<Row>, Failure> {
    let row = sql
        .prepare_cached(
            "SELECT version, bytes, key_id, refresh_at, dead_at FROM record
             WHERE issuer = ? AND client_id = ? AND kind = ? AND subject = ?",
        )?
        .query_row(key(owner), |row| {
            let version: i64 = row.get(0)?;
            let sealed = Sealed::new(
                row.get(1)?,
                row.get::<_, Option<String>>(2)?.map(Into::into),
            )
            .with_times(
                row.get::<_, Option<_>>(3)?.map(time),
                row.get::<_, Option<_>>(4)?.map(time),
            );
            Ok(Row::new(sealed, Version::new(version.cast_unsigned())))
        })
        .optional()?;
    Ok(row)
}

pub(super) fn save(
    sql: &Connection,
    owner: &Owner,
    sealed: &Sealed,
    replaces: Option<Version>,
) -> Result<Version, Failure> {
    let stored: Option<(i64, i64)> = sql
        .prepare_cached(
            "SELECT id, version FROM record
             WHERE issuer = ? AND client_id = ? AND kind = ? AND subject = ?",
        )?
        .query_row(key(owner), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if stored.map(|(_, version)| Version::new(version.cast_unsigned())) != replaces {
        let message = "another version of the record is stored";
        return Err(StoreError::new(StoreErrorKind::Conflict, message).into());
    }
    let version = next(sql)?;
    let (refresh_at, dead_at) = (sealed.refresh_at.map(millis), sealed.dead_at.map(millis));
    let (key_id, bytes) = (sealed.key_id.as_deref(), sealed.bytes.as_slice());
    match stored {
        Some((id, _)) => sql
            .prepare_cached(
                "UPDATE record SET version = ?, refresh_at = ?, dead_at = ?, key_id = ?, bytes = ?
                 WHERE id = ?",
            )?
            .execute(params![version, refresh_at, dead_at, key_id, bytes, id])?,
        None => {
            let (issuer, client_id, kind, subject) = key(owner);
            sql.prepare_cached(
                "INSERT INTO record (issuer, client_id, kind, subject, version, refresh_at,
                     dead_at, key_id, bytes)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                issuer, client_id, kind, subject, version, refresh_at, dead_at, key_id, bytes
            ])?
        }
    };
    Ok(Version::new(version.cast_unsigned()))
}

pub(super) fn reseal(
    sql: &Connection,
    owner: &Owner,
    sealed: &Sealed,
    version: Version,
) -> Result<bool, Failure> {
    let (issuer, client_id, kind, subject) = key(owner);
    let changed = sql
        .prepare_cached(
            "UPDATE record SET key_id = ?, bytes = ?
             WHERE issuer = ? AND client_id = ? AND kind = ? AND subject = ? AND version = ?",
        )?
        .execute(params![
            sealed.key_id.as_deref(),
            sealed.bytes.as_slice(),
            issuer,
            client_id,
            kind,
            subject,
            version.get().cast_signed()
        ])?;
    Ok(changed == 1)
}

pub(super) fn remove(sql: &Connection, owner: &Owner) -> Result<bool, Failure> {
    let gone = sql
        .prepare_cached(
            "DELETE FROM record WHERE issuer = ? AND client_id = ? AND kind = ? AND subject = ?",
        )?
        .execute(key(owner))?;
    Ok(gone == 1)
}

pub(super) fn clear(sql: &Connection) -> Result<u64, Failure> {
    Ok(sql.execute("DELETE FROM record", [])? as u64)
}

pub(super) fn due(
    sql: &Connection,
    before: SystemTime,
    limit: usize,
) -> Result<Vec<Owner>, Failure> {
    list(sql, DUE, params![millis(before), bound(limit)])
}

pub(super) fn purge(sql: &Connection, before: SystemTime, limit: usize) -> Result<usize, Failure> {
    let gone = sql
        .prepare_cached(PURGE)?
        .execute(params![millis(before), bound(limit)])?;
    Ok(gone)
}

pub(super) fn owners(
    sql: &Connection,
    after: Option<&Owner>,
    limit: usize,
) -> Result<Vec<Owner>, Failure> {
    let Some(after) = after else {
        return list(sql, FIRST_OWNERS, params![bound(limit)]);
    };
    let (issuer, client_id, kind, subject) = key(after);
    list(
        sql,
        NEXT_OWNERS,
        params![issuer, client_id, kind, subject, bound(limit)],
    )
}

/// The next number of the whole store: for a version, or a fence.
pub(super) fn next(sql: &Connection) -> Result<i64, Failure> {
    let number = sql
        .prepare_cached("UPDATE counter SET value = value + 1 RETURNING value")?
        .query_row([], |row| row.get(0))?;
    Ok(number)
}

fn list(sql: &Connection, query: &str, params: &[&dyn ToSql]) -> Result<Vec<Owner>, Failure> {
    let mut statement = sql.prepare_cached(query)?;
    let owners = statement.query_map(params, |row| {
        let (issuer, client_id): (String, String) = (row.get(0)?, row.get(1)?);
        let subject = match row.get(2)? {
            CLIENT => Subject::Client,
            _ => Subject::user(row.get::<_, String>(3)?),
        };
        Ok(Owner::new(issuer, client_id, subject))
    })?;
    Ok(owners.collect::<Result<_, _>>()?)
}

/// What `kind` says of the client itself. A user's is 1, so that one without a name is another.
const CLIENT: i64 = 0;

fn key(owner: &Owner) -> (&str, &str, i64, &str) {
    let user = owner.subject().user_id();
    (
        owner.issuer(),
        owner.client_id(),
        user.map_or(CLIENT, |_| 1),
        user.unwrap_or_default(),
    )
}

/// Rounded down, so that nothing is due or dead later than it says.
fn millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration().as_micros().div_ceil(1000);
            i64::try_from(before).map_or(i64::MIN, |millis| -millis)
        }
    }
}

fn time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = match millis {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
