//! A server's keys (RFC 7517 §5), fetched when they are needed and kept for a while.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

use super::jwk::Jwk;
use crate::{Error, clock::Clock, response::json_object};

/// After this the keys are fetched again: one that was withdrawn is not trusted for longer.
const FRESH: Duration = Duration::from_secs(3600);
/// While they cannot be, the old ones serve for this long.
const USABLE: Duration = Duration::from_secs(86_400);
/// For an unknown key they are fetched no more often than this: anybody can make up a key's name.
const PAUSE: Duration = Duration::from_secs(60);
/// Without any key, those who waited for a fetch that failed do not each try it again.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
/// More keys than any server has.
const MOST: usize = 100;

/// The keys of a client's server. Times are on the client's monotonic clock.
#[derive(Default)]
pub(crate) struct KeyCache {
    /// Held for a look, never while anything is awaited: a slow fetch keeps nobody from a key that
    /// is here.
    state: Mutex<State>,
    /// Held by the one who fetches.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Vec<Arc<Jwk>>,
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

/// What was found, and what that means.
enum Look {
    /// It will do.
    Good(Vec<Arc<Jwk>>),
    /// It will do if no newer one can be had.
    Old(Vec<Arc<Jwk>>),
    /// There is no such key, or the keys are too old to be trusted.
    Nothing,
    /// Neither is there one, nor should the server be asked so soon.
    Failed,
}

impl KeyCache {
    /// The keys that `fits` is true for, from `fetch` when those that are here are old, or have no
    /// such key.
    pub(crate) async fn find(
        &self,
        clock: &dyn Clock,
        fits: impl Fn(&Jwk) -> bool + Send + Sync,
        fetch: impl Future<Output = Result<http::Response<bytes::Bytes>, Error>> + Send,
    ) -> Result<Vec<Arc<Jwk>>, Error> {
        let _flight = match (self.look(clock, &fits), self.flight.try_lock()) {
            (Look::Good(keys), _) | (Look::Old(keys), Err(_)) => return Ok(keys),
            (_, Ok(flight)) => flight,
            (_, Err(_)) => self.flight.lock().await,
        };
        // Who was in flight before may have brought it.
        let old = match self.look(clock, &fits) {
            Look::Good(keys) => return Ok(keys),
            Look::Failed => return Err(Error::server("the server's keys could not be fetched")),
            Look::Old(keys) => Some(keys),
            Look::Nothing => None,
        };
        let now = clock.monotonic();
        self.with(|state| state.tried = Some(now));
        match (fetch.await.and_then(|response| read(&response)), old) {
            (Ok(keys), _) => Ok(self.with(|state| {
                (state.keys, state.fetched) = (keys, Some(now));
                state.found(&fits)
            })),
            (Err(_), Some(old)) => Ok(old),
            (Err(error), None) => Err(error),
        }
    }

    fn look(&self, clock: &dyn Clock, fits: &impl Fn(&Jwk) -> bool) -> Look {
        let now = clock.monotonic();
        self.with(|state| {
            let since = |moment: Option<Duration>| moment.map(|moment| now.saturating_sub(moment));
            let (age, pause) = (since(state.fetched), since(state.tried));
            let paused = |length| pause.is_some_and(|pause| pause < length);
            let found = state.found(fits);
            match age {
                Some(age) if age < USABLE => match (found.is_empty(), age < FRESH) {
                    // None of them: whoever asked is told so until the server may be asked again.
                    (_, _) if paused(PAUSE) => Look::Good(found),
                    (false, true) => Look::Good(found),
                    (false, false) => Look::Old(found),
                    (true, _) => Look::Nothing,
                },
                _ if paused(SHORT_PAUSE) => Look::Failed,
                _ => Look::Nothing,
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves whole keys behind, never a half-made state.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn found(&self, fits: &impl Fn(&Jwk) -> bool) -> Vec<Arc<Jwk>> {
        self.keys.iter().filter(|key| fits(key)).cloned().collect()
    }
}

fn read(response: &http::Response<bytes::Bytes>) -> Result<Vec<Arc<Jwk>>, Error> {
    match json_object(response)?.get("keys") {
        Some(Value::Array(keys)) => Ok(keys
            .iter()
            .take(MOST)
            .filter_map(|key| Jwk::from_members(key.as_object()?).map(Arc::new))
            .collect()),
        _ => Err(Error::protocol(
            "member \"keys\" is missing or not an array (RFC 7517 section 5)",
        )),
    }
}
