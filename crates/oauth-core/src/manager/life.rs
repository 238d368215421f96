//! Everything in a token's life but getting it: registering, invalidating, revoking, deleting,
//! listing, clearing, shutting down.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, PoisonError},
    task::Poll,
    time::{Duration, SystemTime},
};

use super::{
    TokenManager, event::Event, introspection::digest, kept::Kept, renewal::Known, table::Key,
    timeline::nanos, unsaved::Outcome, update::Update,
};
use crate::{
    AccessToken, Error, Scopes, Token, TokenSet,
    store::{Issued, StoreError, StoreErrorKind, Subject, TokenRequest},
};

/// What became of a deletion. The tokens are gone from memory and store whatever the server said.
#[derive(Debug)]
#[non_exhaustive]
pub struct Deleted {
    /// How many token sets there were.
    pub tokens: usize,
    /// What the server said to each revocation that was asked for.
    pub revocations: Vec<Result<(), Error>>,
}

/// One token set of an owner, without the tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Session {
    /// Whose.
    pub subject: Subject,
    /// What was asked for.
    pub request: TokenRequest,
    /// What was granted.
    pub scopes: Scopes,
    /// When it was asked for.
    pub issued_at: SystemTime,
    /// When the access token ends.
    pub expires_at: Option<SystemTime>,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// The start of the SHA-256 of the access token, in hex: tells two apart, gives none away.
    pub fingerprint: String,
}

impl TokenManager {
    /// Keeps a token that was obtained elsewhere: see [`Selection::register`](super::Selection).
    ///
    /// # Errors
    /// As there.
    pub async fn register(
        &self,
        subject: &Subject,
        token: TokenSet,
    ) -> Result<super::ManagedToken, Error> {
        self.select(subject).register(token).await
    }

    /// Keeps the token of a new login, in the place of all that the subject had: as
    /// [`TokenManager::register`], and no older token with other scopes is handed out again.
    ///
    /// # Errors
    /// As [`TokenManager::register`].
    pub async fn replace(
        &self,
        subject: &Subject,
        token: TokenSet,
    ) -> Result<super::ManagedToken, Error> {
        let request = TokenRequest::scopes(token.scopes().clone());
        let issued = Issued::new(request.clone(), token.clone());
        let update = Update::Replaced { request, token };
        let kept = self.keep(subject, issued, &update).await?;
        Ok(super::ManagedToken(kept))
    }

    /// Says that an API has called this access token dead (RFC 6750 §3.1, `invalid_token`). It is
    /// not handed out again; the next call renews it. Any other token of the subject stays.
    ///
    /// # Errors
    /// When the store could not be told; this manager has forgotten the token.
    pub async fn invalidate(
        &self,
        subject: &Subject,
        access_token: &AccessToken,
    ) -> Result<(), Error> {
        let access_token = access_token.clone();
        self.change(&self.key(subject), &Update::Invalidated { access_token })
            .await
    }

    /// Says that an API has refused a token that had just been renewed because of a refusal: the
    /// token is not the reason, and renewing it at every call would not help. For the longest
    /// [backoff](super::RefreshPolicy::with_backoff), a minute if not set, it
    /// [was refused](TokenManager::was_refused_anew); then one more renewal is worth a try.
    ///
    /// [`Authorize`](crate::middleware::Authorize) has this rule built in.
    ///
    /// ```
    /// # use oauth_core::{AccessToken, Error, TokenManager, store::Subject};
    /// # async fn call_api(token: &AccessToken) -> u16 { 401 }
    /// async fn call(tokens: &TokenManager) -> Result<u16, Error> {
    ///     let token = tokens.get(&Subject::Client, None).await?.access_token();
    ///     let status = call_api(&token).await;
    ///     if status != 401 || tokens.was_refused_anew(&token) {
    ///         return Ok(status);
    ///     }
    ///     let renewed = tokens.select(&Subject::Client).renew_rejected(&token).await?.access_token();
    ///     let status = call_api(&renewed).await;
    ///     if status == 401 {
    ///         tokens.refused_anew(&renewed);
    ///     }
    ///     Ok(status)
    /// }
    /// ```
    pub fn refused_anew(&self, renewed: &AccessToken) {
        let now = self.shared.timeline.now();
        let until = now.saturating_add(nanos(self.shared.policy.max_backoff()));
        let digest = digest(renewed.expose_secret());
        self.shared.refused.put(digest, now, |_| ((), until));
    }

    /// Whether [`TokenManager::refused_anew`] was said of this token lately: another would be
    /// refused as well.
    #[must_use]
    pub fn was_refused_anew(&self, token: &AccessToken) -> bool {
        let digest = digest(token.expose_secret());
        let now = self.shared.timeline.now();
        self.shared.refused.contains(&digest, now)
    }

    /// Tells the server that an access token is no longer needed (RFC 7009). It stays here; see
    /// [`TokenManager::delete`].
    ///
    /// # Errors
    /// As [`Client::revoke`](crate::Client::revoke).
    pub async fn revoke(&self, subject: &Subject, access_token: &AccessToken) -> Result<(), Error> {
        self.client().revoke(access_token).await?;
        let digest = digest(access_token.expose_secret());
        self.shared.introspections.forget(&digest);
        let owner = self.owner(subject);
        self.shared.tell(&Event::Revoked { owner });
        Ok(())
    }

    /// Removes a token set from memory and store, and then, when the manager is to
    /// [revoke on delete](super::TokenManagerBuilder::revoke_on_delete), revokes it (RFC 7009):
    /// first the refresh token. Dropping the future stops the waiting, not that.
    ///
    /// # Errors
    /// When it may still be in the store; the server is told all the same. What it says is in
    /// [`Deleted`].
    pub async fn delete(
        &self,
        subject: &Subject,
        access_token: &AccessToken,
    ) -> Result<Deleted, Error> {
        let (this, subject, dead) = (self.clone(), subject.clone(), access_token.clone());
        to_its_end(async move { this.delete_now(&subject, &dead).await }).await
    }

    /// Removes all token sets of a subject, as [`TokenManager::delete`] does with one. A renewal
    /// that is under way does not bring any back.
    ///
    /// # Errors
    /// When some may still be in the store. The server is told all the same.
    pub async fn delete_all(&self, subject: &Subject) -> Result<Deleted, Error> {
        let (this, subject) = (self.clone(), subject.clone());
        to_its_end(async move { this.delete_all_now(&subject).await }).await
    }

    /// Removes everything of a subject from memory and store, without a word to the server. A
    /// renewal that is under way does not bring it back.
    ///
    /// # Errors
    /// When it may still be in the store.
    pub async fn clear(&self, subject: &Subject) -> Result<(), Error> {
        let key = self.key(subject);
        let _commit = self.shared.commit(&key).await;
        self.clear_alone(&key).await
    }

    async fn delete_now(&self, subject: &Subject, dead: &AccessToken) -> Result<Deleted, Error> {
        let (shared, key) = (&self.shared, self.key(subject));
        // What is revoked is what is removed: no refresh token that a flight has replaced between.
        let commit = shared.commit(&key).await;
        let known = shared.known(&self.registration, &key).await;
        let is_it = |have: &&Issued| *have.token.access_token() == *dead;
        let found: Vec<_> = known
            .record
            .tokens()
            .iter()
            .filter(is_it)
            .cloned()
            .collect();
        let access_token = dead.clone();
        let update = Update::Deleted { access_token };
        let forgotten = self.change_alone(&key, known, &update).await;
        drop(commit);
        let deleted = self.revoked(subject, &found).await;
        forgotten.map(|()| deleted)
    }

    async fn delete_all_now(&self, subject: &Subject) -> Result<Deleted, Error> {
        let (shared, key) = (&self.shared, self.key(subject));
        let commit = shared.commit(&key).await;
        let known = shared.known(&self.registration, &key).await;
        let cleared = self.clear_alone(&key).await;
        drop(commit);
        let deleted = self.revoked(subject, known.record.tokens()).await;
        cleared.map(|()| deleted)
    }

    async fn clear_alone(&self, key: &Key) -> Result<(), Error> {
        let shared = &self.shared;
        shared.flights.clear(|flight| flight.owner == *key);
        shared.unsaved.forget(key);
        shared.failures.forget_owner(key);
        shared.table.remove(key);
        shared.cool(key);
        match &shared.store {
            Some(store) => {
                let removed = store.remove(&self.owner(&key.subject)).await;
                removed.map(|_| ()).map_err(Error::store)
            }
            None => Ok(()),
        }
    }

    /// Removes everything of every client and subject, from memory and store.
    ///
    /// # Errors
    /// When something may still be in the store.
    pub async fn clear_all(&self) -> Result<(), Error> {
        let shared = &self.shared;
        // No record is half written meanwhile, neither by a flight nor by a write that is repeated.
        let _alone = shared.records.write().await;
        shared.flights.clear(|_| true);
        shared.unsaved.clear();
        shared.failures.clear();
        shared.introspections.clear();
        shared.claims.clear();
        shared.table.clear();
        shared.cool_all();
        match &shared.store {
            Some(store) => store.clear().await.map(|_| ()).map_err(Error::store),
            None => Ok(()),
        }
    }

    /// As [`TokenManager::clear`], at once and in this process's memory alone: with a store, what
    /// is stored is read again. Whether there was anything, or a renewal under way. That brings
    /// nothing back, unless there is a store: there its answer may hold the only refresh token that
    /// is still good.
    pub fn clear_memory(&self, subject: &Subject) -> bool {
        let shared = &self.shared;
        let key = self.key(subject);
        let _memory = shared.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let flying = shared.store.is_none() && shared.flights.clear(|flight| flight.owner == key);
        shared.failures.forget_owner(&key);
        // What is not stored yet is nowhere else.
        if shared.unsaved.contains(&key) {
            return true;
        }
        let had = shared.table.remove(&key);
        shared.cool(&key);
        flying || had
    }

    /// As [`TokenManager::clear_memory`], of every client and subject.
    pub fn clear_all_memory(&self) {
        let shared = &self.shared;
        let _memory = shared.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.store.is_none() {
            shared.flights.clear(|_| true);
        }
        shared.failures.clear();
        shared.introspections.clear();
        shared.claims.clear();
        // What is not stored yet is nowhere else.
        let is_unsaved = |key: &Key, _| shared.unsaved.contains(key);
        shared.table.retain_owners(is_unsaved);
        shared.cool_all();
    }

    /// The token sets of a subject, without the tokens.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn sessions(&self, subject: &Subject) -> Result<Vec<Session>, Error> {
        let known = self
            .shared
            .known(&self.registration, &self.key(subject))
            .await;
        if let Some(failure) = known.failure {
            return Err(Error::store(failure));
        }
        let session = |have: &Issued| Session {
            subject: subject.clone(),
            request: have.request.clone(),
            scopes: have.token.scopes().clone(),
            issued_at: have.token.issued_at(),
            expires_at: have.token.expires_at(),
            refreshable: have.token.refresh_token().is_some(),
            fingerprint: fingerprint(have.token.access_token().expose_secret()),
        };
        Ok(known.record.tokens().iter().map(session).collect())
    }

    /// Waits until every renewal under way has ended and everything is stored, but no longer than
    /// `limit`; how many renewals are then still under way and owners' tokens only in memory. With
    /// 0 the process can end without losing any.
    pub async fn shutdown(&self, limit: Duration) -> usize {
        let shared = &self.shared;
        let settle = async {
            shared.flights.idle().await;
            self.save_now().await;
        };
        let mut settle = pin!(settle);
        let mut limit = shared.clock.sleep(limit);
        poll_fn(|context| match settle.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => limit.as_mut().poll(context),
        })
        .await;
        shared.unsaved.len() + shared.flights.len()
    }

    /// Tries once to store what could not be stored; how many owners' tokens are still only in
    /// memory.
    pub async fn save_now(&self) -> usize {
        let shared = &self.shared;
        for key in shared.unsaved.keys() {
            if let Some(registration) = shared.registration(&key) {
                shared.write_unsaved(&registration, &key).await;
            }
        }
        shared.unsaved.len()
    }

    pub(super) async fn keep(
        &self,
        subject: &Subject,
        issued: Issued,
        update: &Update,
    ) -> Result<Arc<Kept>, Error> {
        let token = &issued.token;
        let ended = token.is_expired(self.shared.clock.now());
        if ended && token.refresh_token().is_none() {
            return Err(Error::usage(
                "this token has ended, and there is no refresh token",
            ));
        }
        if token.expires_at().is_none() && self.shared.settings.require_expiry {
            return Err(Error::usage(
                "it is not known when this token ends, and this manager requires it; introspect it",
            ));
        }
        let key = self.key(subject);
        let event = Event::Granted {
            owner: self.owner(subject),
            scopes: token.scopes().clone(),
            expires_at: token.expires_at(),
        };
        let result = self.change(&key, update).await;
        self.shared.failures.forget_owner(&key);
        self.shared.tell(&event);
        self.shared.tidy();
        result.map(|()| Arc::new(Kept::new(subject, &issued, &self.shared.timeline)))
    }

    /// Removes a token set of a subject, without a word to the server.
    pub(super) async fn forget(
        &self,
        subject: &Subject,
        access_token: &AccessToken,
    ) -> Result<(), Error> {
        let access_token = access_token.clone();
        self.change(&self.key(subject), &Update::Deleted { access_token })
            .await
    }

    pub(super) async fn change(&self, key: &Key, update: &Update) -> Result<(), Error> {
        let _commit = self.shared.commit(key).await;
        let known = self.shared.known(&self.registration, key).await;
        self.change_alone(key, known, update).await
    }

    async fn change_alone(&self, key: &Key, known: Known, update: &Update) -> Result<(), Error> {
        let (shared, registration) = (&self.shared, &self.registration);
        let never = || false;
        let outcome = shared
            .write_alone(registration, key, known, update, None, &never)
            .await;
        let login = matches!(update, Update::Granted { .. } | Update::Replaced { .. });
        if outcome == Outcome::Discarded && login {
            // Somebody has removed the owner's record: a login is no late answer, and comes after.
            shared
                .write_alone(registration, key, Known::default(), update, None, &never)
                .await;
        }
        if shared.unsaved.contains(key) {
            return Err(Error::store(StoreError::new(
                StoreErrorKind::Unavailable,
                "the change is in memory and is written again until it is stored",
            )));
        }
        Ok(())
    }

    async fn revoked(&self, subject: &Subject, found: &[Issued]) -> Deleted {
        let mut deleted = Deleted {
            tokens: found.len(),
            revocations: Vec::new(),
        };
        if !self.shared.settings.revoke_on_delete {
            return deleted;
        }
        for Issued { token, .. } in found {
            if let Some(refresh_token) = token.refresh_token() {
                let said = self.client().revoke_refresh_token(refresh_token).await;
                deleted.revocations.push(said);
            }
            let said = self.revoke(subject, token.access_token()).await;
            deleted.revocations.push(said);
        }
        deleted
    }
}

/// Runs `act` in a task of its own, where there is a runtime: when whoever waits goes away between
/// removing a token and revoking it, nobody else knows of it any more.
async fn to_its_end<T: Send + 'static>(
    act: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime
            .spawn(act)
            .await
            .unwrap_or_else(|_| Err(Error::lost())),
        Err(_) => act.await,
    }
}

fn fingerprint(text: &str) -> String {
    digest(text)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
