//! Leases. `taken` and `until` are milliseconds since the machine was started: after a restart,
//! whatever was taken later than now is over.

use std::time::Duration;

use oauth_core::store::{Lease, StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension, params};

use super::{connection::Failure, rows::next};

/// How long a lease that ran out is remembered, so that its holder can still save: a day.
const REMEMBERED: i64 = 86_400_000;

/// `now` is asked inside the transaction: waiting for it must not count.
pub(super) fn take(
    sql: &Connection,
    name: &str,
    ttl: Duration,
    now: impl FnOnce() -> Duration,
) -> Result<Option<Lease>, Failure> {
    let now = millis(now());
    let held: Option<bool> = sql
        .prepare_cached("SELECT taken <= ?2 AND ?2 < until FROM lease WHERE name = ?1")?
        .query_row(params![name, now], |row| row.get(0))
        .optional()?;
    if held == Some(true) {
        return Ok(None);
    }
    let fence = next(sql)?;
    sql.prepare_cached(
        "INSERT OR REPLACE INTO lease (name, fence, taken, until) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![name, fence, now, now.saturating_add(millis(ttl))])?;
    let lease = Lease::new(name, fence.cast_unsigned());
    Ok(Some(lease.with_abandoned(held.is_some())))
}

pub(super) fn release(sql: &Connection, lease: &Lease, now: Duration) -> Result<(), Failure> {
    let (name, fence) = (lease.name(), lease.fence().cast_signed());
    match lease.was_abandoned() {
        false => sql
            .prepare_cached("DELETE FROM lease WHERE name = ? AND fence = ?")?
            .execute(params![name, fence])?,
        true => sql
            .prepare_cached("UPDATE lease SET until = min(until, ?) WHERE name = ? AND fence = ?")?
            .execute(params![millis(now), name, fence])?,
    };
    Ok(())
}

/// Whether `lease` is still the newest of its name.
pub(super) fn check(sql: &Connection, lease: &Lease) -> Result<(), Failure> {
    let newest: Option<i64> = sql
        .prepare_cached("SELECT fence FROM lease WHERE name = ?")?
        .query_row([lease.name()], |row| row.get(0))
        .optional()?;
    if newest == Some(lease.fence().cast_signed()) {
        return Ok(());
    }
    let error = StoreError::new(
        StoreErrorKind::Fenced,
        "the lease was given back, or ran out and was given to somebody else",
    );
    Err(error.into())
}

/// Forgets the leases of those who never came back. There are few: the others gave theirs back. One
/// of before a restart of the machine ended with it, and is remembered as long from then.
pub(super) fn forget(sql: &Connection, now: Duration) -> Result<(), Failure> {
    let now = millis(now);
    sql.prepare_cached("UPDATE lease SET taken = 0, until = 0 WHERE taken > ?")?
        .execute([now])?;
    sql.prepare_cached("DELETE FROM lease WHERE until < ?")?
        .execute([now.saturating_sub(REMEMBERED)])?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
