//! A server's keys (RFC 7517 §5), fetched when they are needed and kept for a while.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::Mutex;

use super::jwk::Jwk;
use crate::{Error, response::json_object};

/// After this the keys are fetched again: one that was withdrawn is not trusted for longer.
const FRESH: Duration = Duration::from_secs(3600);
/// While they cannot be, the old ones serve for this long.
const USABLE: Duration = Duration::from_secs(86_400);
/// For an unknown key they are fetched no more often than this: anybody can make up a key's name.
const PAUSE: Duration = Duration::from_secs(60);
/// More keys than any server has.
const MOST: usize = 100;

/// The keys of a client's server. Times are on the client's monotonic clock.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<State>);

#[derive(Default)]
struct State {
    keys: Vec<Arc<Jwk>>,
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

impl KeyCache {
    /// The keys that `fits` is true for, from `fetch` when those that are here are old, or have no
    /// such key. Whoever comes in the meantime waits for the one fetch.
    pub(crate) async fn find(
        &self,
        now: Duration,
        fits: impl Fn(&Jwk) -> bool + Send + Sync,
        fetch: impl Future<Output = Result<http::Response<bytes::Bytes>, Error>> + Send,
    ) -> Result<Vec<Arc<Jwk>>, Error> {
        let mut state = self.0.lock().await;
        let since = |moment: Option<Duration>| moment.map(|moment| now.saturating_sub(moment));
        let (age, pause) = (since(state.fetched), since(state.tried));
        let found = |state: &State| {
            let keys = state.keys.iter().filter(|key| fits(key));
            keys.cloned().collect::<Vec<_>>()
        };
        let known = found(&state);
        let old = age.is_none_or(|age| age >= FRESH);
        let unusable = age.is_none_or(|age| age >= USABLE);
        let paused = pause.is_some_and(|pause| pause < PAUSE);
        if unusable || (old || known.is_empty()) && !paused {
            state.tried = Some(now);
            match fetch.await.and_then(|response| read(&response)) {
                Ok(keys) => {
                    state.keys = keys;
                    state.fetched = Some(now);
                }
                Err(error) if unusable || known.is_empty() => return Err(error),
                Err(_) => return Ok(known),
            }
        }
        Ok(found(&state))
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
