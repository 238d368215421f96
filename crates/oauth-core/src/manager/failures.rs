//! What failed lately, so that a server that is down or says no is not asked at every call.

use std::{hash::Hash, time::Duration};

use super::{
    policy::RefreshPolicy,
    room::Expiring,
    shared::FlightKey,
    table::Key,
    timeline::{Moment, nanos},
};
use crate::{Error, Recovery};

/// The last failure of each key, and how many there were in a row.
#[derive(Debug)]
pub(crate) struct Failures<K>(Expiring<K, (Error, u32)>);

impl<K: Hash + Eq + Clone> Failures<K> {
    /// The failure of `key` that still counts.
    pub(crate) fn get(&self, key: &K, now: Moment) -> Option<Error> {
        self.0.get(key, now).map(|(error, _)| error)
    }

    pub(crate) fn remember(
        &self,
        key: &K,
        error: &Error,
        policy: &RefreshPolicy,
        now: Moment,
        fraction: f64,
    ) {
        self.0.put(key.clone(), now, |before| {
            let count = before.map_or(1, |(_, count)| count.saturating_add(1));
            let wait = match error.recovery() {
                Recovery::Retry { after } => policy.backoff(count, after, fraction),
                // Waiting will not help, but somebody may mend it without a restart.
                _ => policy.backoff(u32::MAX, None, fraction),
            };
            let until = now.saturating_add(nanos(wait.max(Duration::from_millis(1))));
            ((error.clone(), count), until)
        });
    }

    pub(crate) fn forget(&self, key: &K) {
        self.0.forget(key);
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl Failures<FlightKey> {
    pub(crate) fn forget_owner(&self, owner: &Key) {
        self.0.retain(|key| key.owner != *owner);
    }
}

impl<K: Hash + Eq> Default for Failures<K> {
    fn default() -> Self {
        Self(Expiring::default())
    }
}
