//! Which kind of failure an error of the driver is, and what of it may be told.

use oauth_core::store::{StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::{cause::Cause, tls};

pub(super) fn too_slow() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "Redis did not answer within the time limit; a write may still have been kept",
    )
}

/// The server's code without its text, which may repeat a command with a record in it.
pub(super) fn refused(error: &RedisError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let (kind, message) = match (error.kind(), code) {
        (ErrorKind::AuthenticationFailed, _) | (_, "NOAUTH" | "WRONGPASS") => (
            StoreErrorKind::Configuration,
            "Redis does not let this user in; check user and password",
        ),
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => (
            StoreErrorKind::Configuration,
            "the Redis user may not do this; allow it the store's keys and the commands of hashes, \
            sorted sets and scripts",
        ),
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => (
            StoreErrorKind::Unavailable,
            "this Redis server is a replica now; it must be the primary",
        ),
        (
            ErrorKind::Server(
                ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot,
            ),
            _,
        ) => (
            StoreErrorKind::Configuration,
            "this Redis server is part of a cluster; name one that stands alone or with replicas",
        ),
        (ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported, _) => (
            StoreErrorKind::Configuration,
            "the link to Redis cannot be set up; it must be Redis 6 or later",
        ),
        (ErrorKind::UnexpectedReturnType, _) | (_, "WRONGTYPE") => (
            StoreErrorKind::Unreadable,
            "Redis holds something else where a record is; remove it and authorize again",
        ),
        (ErrorKind::Io, _) if tls::is_cause(error) => (
            StoreErrorKind::Configuration,
            "Redis's TLS cannot be trusted; name its root certificate, and the host as it is there",
        ),
        (ErrorKind::Io, _) => (
            StoreErrorKind::Unavailable,
            "the connection to Redis failed; a write may still have been kept",
        ),
        _ => (StoreErrorKind::Unavailable, "Redis could not do it now"),
    };
    let cause = match error.kind() {
        ErrorKind::Io => Cause::chain(error),
        kind if code.is_empty() => Cause(format!("{kind:?}")),
        _ => Cause(code.to_owned()),
    };
    StoreError::new(kind, message).with_source(cause)
}
