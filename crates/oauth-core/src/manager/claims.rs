//! What is known of a user: the claims of the userinfo endpoint (OpenID Connect Core §5.3), kept
//! with the user's tokens.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use super::{
    TokenManager,
    locks::Locks,
    table::Key,
    timeline::{Moment, nanos},
    update::Update,
};
use crate::{Error, store::Subject};

/// When userinfo may be asked again.
#[derive(Debug, Default)]
pub(crate) struct ClaimsAsked {
    until: Mutex<HashMap<Key, Moment>>,
    asking: Locks<Key>,
}

const MANY: usize = 4096;

impl TokenManager {
    /// What the issuer says of a user. It is asked at most once per
    /// [`min_userinfo_refresh_interval`](super::TokenManagerBuilder::min_userinfo_refresh_interval),
    /// however many callers come; what it says is merged into what was known, and kept with the
    /// user's tokens.
    ///
    /// # Errors
    /// As [`TokenManager::get`] and [`Client::userinfo`](crate::Client::userinfo); a protocol error
    /// when the answer is about somebody else than before (OpenID Connect Core §5.3.2).
    pub async fn claims(&self, subject: &Subject) -> Result<Map<String, Value>, Error> {
        let shared = &self.shared;
        let key = self.key(subject);
        let asked = &shared.claims;
        let _asking = asked.asking.lock(&key).await;
        let known = shared.known(&self.registration, &key).await;
        let claims = known.record.claims().clone();
        if !claims.is_empty() && asked.is_fresh(&key, shared.timeline.now()) {
            return Ok(claims);
        }
        let token = self.get(subject, None).await?;
        let said = self.client().userinfo(&token.access_token()).await?;
        let before = claims.get("sub").and_then(Value::as_str);
        if before.is_some_and(|sub| sub != said.subject()) {
            return Err(Error::protocol(
                "claim \"sub\" is another than before; the answer was not used (OpenID Connect Core section 5.3.2)",
            ));
        }
        let mut merged = claims;
        merged.extend(said.claims().clone());
        // What was learned is worth telling also when it cannot be stored.
        let stored = self.change(&key, &Update::Claims(merged.clone())).await;
        if let Err(error) = stored {
            tracing::warn!(%error, "claims could not be stored");
        }
        let now = shared.timeline.now();
        let interval = nanos(shared.settings.min_userinfo_refresh_interval);
        asked.put(&key, now.saturating_add(interval), now);
        Ok(merged)
    }
}

impl ClaimsAsked {
    fn is_fresh(&self, key: &Key, now: Moment) -> bool {
        self.lock().get(key).is_some_and(|until| now < *until)
    }

    fn put(&self, key: &Key, until: Moment, now: Moment) {
        let mut asked = self.lock();
        if asked.len() >= MANY {
            asked.retain(|_, until| now < *until);
        }
        if asked.len() < MANY {
            asked.insert(key.clone(), until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Moment>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
