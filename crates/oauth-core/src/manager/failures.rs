//! What failed lately, so that a server that is down or says no is not asked at every call.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    policy::RefreshPolicy,
    shared::FlightKey,
    table::Key,
    timeline::{Moment, nanos},
};
use crate::{Error, Recovery};

#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<FlightKey, Failure>>);

#[derive(Debug)]
struct Failure {
    error: Error,
    count: u32,
    until: Moment,
}

/// More than this many at once, and those that are over are let go.
const MANY: usize = 1024;

impl Failures {
    /// The failure of `key` that still counts.
    pub(crate) fn get(&self, key: &FlightKey, now: Moment) -> Option<Error> {
        let failures = self.lock();
        let failure = failures.get(key)?;
        (now < failure.until).then(|| failure.error.clone())
    }

    pub(crate) fn remember(
        &self,
        key: &FlightKey,
        error: &Error,
        policy: &RefreshPolicy,
        now: Moment,
        fraction: f64,
    ) {
        let mut failures = self.lock();
        if failures.len() >= MANY {
            failures.retain(|_, failure| now < failure.until);
        }
        let count = failures
            .get(key)
            .map_or(1, |failure| failure.count.saturating_add(1));
        let wait = match error.recovery() {
            Recovery::Retry { after } => policy.backoff(count, after, fraction),
            // Waiting will not help, but somebody may mend it without a restart.
            _ => policy.backoff(u32::MAX, None, fraction),
        };
        let failure = Failure {
            error: error.clone(),
            count,
            until: now.saturating_add(nanos(wait.max(Duration::from_millis(1)))),
        };
        failures.insert(key.clone(), failure);
    }

    pub(crate) fn forget(&self, key: &FlightKey) {
        self.lock().remove(key);
    }

    pub(crate) fn forget_owner(&self, owner: &Key) {
        self.lock().retain(|key, _| key.owner != *owner);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FlightKey, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
