//! The client secrets that were looked up, for as long as the server keeps them too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use oauth_core::clock::Clock;
use secrecy::SecretString;

use super::client_secret::ClientId;
use crate::error::CLIENT_CACHE;

#[derive(Default)]
pub(super) struct Secrets(Mutex<State>);

#[derive(Default)]
struct State {
    kept: HashMap<ClientId, Kept>,
    /// How often everything was forgotten.
    cleared: u64,
}

struct Kept {
    secret: Arc<SecretString>,
    /// Both clocks must agree: the wall clock can be set back, the other one can stand still
    /// while the machine sleeps.
    until: Moment,
}

type Moment = (SystemTime, Duration);

/// When a look-up began.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    at: Moment,
    cleared: u64,
}

impl Secrets {
    /// The secret of a client, or what [`Secrets::put`] wants to know of the look-up that is to
    /// bring it.
    pub(super) fn get(&self, id: &ClientId, clock: &dyn Clock) -> Result<Arc<SecretString>, Begun> {
        let now = (clock.now(), clock.monotonic());
        let state = self.lock();
        match state.kept.get(id) {
            Some(kept) if now.0 < kept.until.0 && now.1 < kept.until.1 => {
                Ok(Arc::clone(&kept.secret))
            }
            _ => Err(Begun {
                at: now,
                cleared: state.cleared,
            }),
        }
    }

    /// Keeps a secret, unless all were forgotten since its look-up began.
    pub(super) fn put(&self, id: &ClientId, secret: &Arc<SecretString>, begun: Begun) {
        let (wall, monotonic) = begun.at;
        let mut state = self.lock();
        if state.cleared != begun.cleared {
            return;
        }
        // One that has ended is wiped, not kept until it is asked for.
        state.kept.retain(|_, kept| monotonic < kept.until.1);
        let kept = Kept {
            secret: Arc::clone(secret),
            until: (
                wall.checked_add(CLIENT_CACHE).unwrap_or(wall),
                monotonic.saturating_add(CLIENT_CACHE),
            ),
        };
        state.kept.insert(id.clone(), kept);
    }

    /// Forgets a secret, if it still is this one.
    pub(super) fn remove(&self, id: &ClientId, secret: &Arc<SecretString>) {
        let mut state = self.lock();
        let is_it = |kept: &Kept| Arc::ptr_eq(&kept.secret, secret);
        if state.kept.get(id).is_some_and(is_it) {
            state.kept.remove(id);
        }
    }

    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.kept.clear();
        state.cleared += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
