//! What SQLite says, sorted by what can be done about it.

use std::path::Path;

use oauth_core::store::{StoreError, StoreErrorKind as Kind};
use rusqlite::{Error, ErrorCode};

/// The error of a store for one of SQLite's, which names statements and columns, never values.
pub(super) fn explain(error: Error, path: &Path) -> StoreError {
    let (kind, says) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Kind::Unavailable,
            "is in use by another process for too long",
        ),
        Some(ErrorCode::DiskFull) => (Kind::Unavailable, "cannot grow: the disk is full"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            Kind::Configuration,
            "cannot be written: give the process the right to write the file and its folder",
        ),
        Some(ErrorCode::CannotOpen) => (
            Kind::Configuration,
            "cannot be opened: the process must be able to write in its folder",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            Kind::Unreadable,
            "is damaged or no token store; it was left as it is: put a backup in its place, or move it away to start with an empty one",
        ),
        Some(_) => (Kind::Unavailable, "cannot be used now"),
        None => (Kind::Unreadable, "holds something else than expected"),
    };
    StoreError::new(kind, format!("the token store {} {says}", path.display())).with_source(error)
}
