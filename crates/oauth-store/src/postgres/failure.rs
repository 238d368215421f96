//! Which kind of failure an error of the driver is, and what of it may be told.

use deadpool_postgres::PoolError;
use oauth_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::{Error, error::SqlState};

use crate::{cause::Cause, tls};

pub(super) fn too_slow() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "PostgreSQL did not answer within the time limit; a write may still have been kept",
    )
}

pub(super) fn no_answer() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "PostgreSQL answered a save with nothing; a write may still have been kept",
    )
}

pub(super) fn no_connection(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => refused(&error),
        other => StoreError::new(
            StoreErrorKind::Unavailable,
            "there is no connection to PostgreSQL",
        )
        .with_source(Cause::chain(&other)),
    }
}

/// The server's text without its detail, which may repeat a whole row.
pub(super) fn refused(error: &Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        // The driver keeps the kind of its errors to itself.
        let tls = tls::is_cause(error) || error.to_string().contains("TLS");
        let (kind, message) = match tls {
            true => (
                StoreErrorKind::Configuration,
                "PostgreSQL's TLS cannot be trusted, or it has none; name its root certificate, \
                or sslmode=disable where the network is safe",
            ),
            false => (
                StoreErrorKind::Unavailable,
                "the connection to PostgreSQL failed; a write may still have been kept",
            ),
        };
        return StoreError::new(kind, message).with_source(Cause::chain(error));
    };
    let code = said.code();
    let (kind, message) = match code.code().get(..2) {
        // Invalid authorization; no such database; no such schema; no such table, no right.
        Some("28" | "3D" | "3F" | "42") => (
            StoreErrorKind::Configuration,
            "PostgreSQL refused; check user, password, database and rights",
        ),
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => (
            StoreErrorKind::Configuration,
            "this PostgreSQL server is read-only; name the primary",
        ),
        _ => (
            StoreErrorKind::Unavailable,
            "PostgreSQL could not do it now",
        ),
    };
    let cause = format!("{} ({})", said.message(), code.code());
    StoreError::new(kind, message).with_source(Cause(cause))
}

pub(super) fn damaged(error: &Error) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unreadable,
        "a row of the store is damaged; restore it from a backup, or remove it and authorize again",
    )
    .with_source(Cause::chain(error))
}

/// Whether the connection can do more. A server that has become read-only is another's replica now,
/// and who connects anew may be led to the right one.
pub(super) fn leaves_usable(error: &Error) -> bool {
    let code = error.code().map_or("08", SqlState::code);
    // The connection failed; the server is going down; it is read-only.
    !code.starts_with("08") && !code.starts_with("57P") && code != "25006"
}
