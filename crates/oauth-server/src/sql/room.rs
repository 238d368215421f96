//! How much one client may have pending: what strangers can start in its name must not fill the
//! database.

use std::{collections::HashMap, sync::Mutex};

use super::{SqlStore, Value};
use crate::{
    ContextError,
    guard::lock,
    memory::{device_codes, jwt_ids, pushed_requests},
};

/// What is counted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pending {
    DeviceCodes,
    PushedRequests,
    JwtIds,
}

impl Pending {
    fn most(self) -> usize {
        match self {
            Self::DeviceCodes => device_codes::MAX_OF_CLIENT,
            Self::PushedRequests => pushed_requests::MAX_OF_CLIENT,
            Self::JwtIds => jwt_ids::MAX_OF_CLIENT,
        }
    }

    fn used(self) -> &'static str {
        match self {
            Self::DeviceCodes => {
                "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM oauth_device_codes \
                 WHERE client_id = $1"
            }
            Self::PushedRequests => {
                "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM oauth_pushed_requests \
                 WHERE client_id = $1"
            }
            Self::JwtIds => {
                "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM oauth_jwt_ids \
                 WHERE client_id = $1"
            }
        }
    }
}

/// Of so many clients it is known how much is left to them.
const MAX_CLIENTS: usize = 10_000;

/// To add up all of a client's rows each time would cost more than the row: this part of what is
/// left is given away before they are added up again. Several servers may exceed it by that part.
const PART: i64 = 16;

#[derive(Debug, Default)]
pub(super) struct Room(Mutex<HashMap<(Pending, String), i64>>);

impl Room {
    /// Takes from what was given away before; false if that is used up.
    fn take(&self, kind: Pending, client_id: &str, size: i64) -> bool {
        let mut left = lock(&self.0);
        let left = left.get_mut(&(kind, client_id.to_owned()));
        left.is_some_and(|left| {
            let enough = *left >= size;
            *left -= if enough { size } else { 0 };
            enough
        })
    }

    fn put(&self, kind: Pending, client_id: &str, left: i64) {
        let mut all = lock(&self.0);
        if all.len() >= MAX_CLIENTS {
            all.clear();
        }
        all.insert((kind, client_id.to_owned()), left);
    }
}

impl SqlStore {
    /// Whether the client may have `size` more of this pending.
    pub(super) async fn has_room(
        &self,
        kind: Pending,
        client_id: &str,
        size: usize,
    ) -> Result<bool, ContextError> {
        let of = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let size = of(size);
        if self.room.take(kind, client_id, size) {
            return Ok(true);
        }
        let rows = self.rows(kind.used(), vec![client_id.into()]).await?;
        let used = match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(used)) => *used,
            _ => 0,
        };
        let left = of(kind.most()).saturating_sub(used).saturating_sub(size);
        if left < 0 {
            return Ok(false);
        }
        self.room.put(kind, client_id, left / PART);
        Ok(true)
    }
}
