//! Everything in a token's life but getting it: registering, invalidating, introspecting, revoking,
//! deleting, listing, clearing, shutting down.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, PoisonError},
    task::Poll,
    time::{Duration, SystemTime},
};

use super::{
    TokenManager,
    event::Event,
    failures::Failures,
    kept::Kept,
    locks::Locks,
    renewal::Known,
    room::Expiring,
    shared::FlightKey,
    table::Key,
    timeline::{Moment, nanos},
    unsaved::Outcome,
    update::Update,
};
use crate::{
    AccessToken, Error, Introspection, RefreshToken, Scopes, Token, TokenSet, TokenTypeHint,
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

/// What servers said of tokens, for as long as the manager may believe it.
#[derive(Default)]
pub(crate) struct Introspections {
    answers: Expiring<Digest, Introspection>,
    failures: Failures<Digest>,
    asking: Locks<Digest>,
}

/// Whether an introspected token was granted just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    New,
    Any,
}

/// A token as a key that is none.
pub(crate) type Digest = [u8; 32];

impl Introspections {
    /// What is known of a token, be it that the server could not be asked lately.
    fn known(&self, token: &Digest, now: Moment) -> Option<Result<Introspection, Error>> {
        let answer = self.answers.get(token, now).map(Ok);
        answer.or_else(|| self.failures.get(token, now).map(Err))
    }

    fn forget(&self, token: &Digest) {
        self.answers.forget(token);
        self.failures.forget(token);
    }

    fn clear(&self) {
        self.answers.clear();
        self.failures.clear();
    }
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

    /// Keeps an access token of which nothing else is known: the server is asked what it is
    /// (RFC 7662).
    ///
    /// # Errors
    /// A usage error when the server says that it is not active; otherwise as
    /// [`Client::introspect`](crate::Client::introspect) and [`TokenManager::register`].
    pub async fn register_introspected(
        &self,
        subject: &Subject,
        access_token: AccessToken,
        refresh_token: Option<RefreshToken>,
    ) -> Result<super::ManagedToken, Error> {
        let said = self.introspect(&access_token).await?;
        self.active(subject, &access_token, &said).await?;
        let token = TokenSet::new(access_token, self.shared.clock.now())
            .with_expires_at(said.expires_at())
            .with_scopes(said.scopes().unwrap_or_default())
            .with_refresh_token(refresh_token);
        self.register(subject, token).await
    }

    /// An error unless the server says that the token is active; then it is not kept, either.
    async fn active(
        &self,
        subject: &Subject,
        access_token: &AccessToken,
        said: &Introspection,
    ) -> Result<(), Error> {
        if said.is_active() {
            return Ok(());
        }
        self.forget(subject, access_token).await?;
        Err(Error::reauthorization_needed(
            "the server says that this token is not active (RFC 7662 section 2.2); obtain a new one",
        ))
    }

    /// Whether the server is to be asked when a token ends.
    fn needs_end(&self, token: &TokenSet) -> bool {
        self.shared.settings.auto_introspect && token.expires_at().is_none()
    }

    /// A token from elsewhere with the end that the server gives it. A server that cannot be asked
    /// is no reason to lose the token.
    pub(super) async fn with_end(
        &self,
        subject: &Subject,
        token: TokenSet,
    ) -> Result<TokenSet, Error> {
        if !self.needs_end(&token) {
            return Ok(token);
        }
        let Ok(said) = self.introspect(token.access_token()).await else {
            return Ok(token);
        };
        self.active(subject, token.access_token(), &said).await?;
        Ok(token.with_expires_at(said.expires_at()))
    }

    /// Asks when a token ends that a flight has brought. A server that calls its own new token not
    /// active (its introspection lags, or is another server's) is not believed: the next token would
    /// not be active either, and every call would renew.
    pub(super) async fn note_end(&self, key: &Key, token: &TokenSet) {
        if !self.needs_end(token) {
            return;
        }
        let said = self.ask_about(token.access_token(), Age::New).await.ok();
        if let Some(expires_at) = said.and_then(|said| said.expires_at()) {
            let access_token = token.access_token().clone();
            let update = Update::Ends {
                access_token,
                expires_at,
            };
            if let Err(error) = self.change(key, &update).await {
                tracing::warn!(%error, "the end of a token is only in memory for now");
            }
        }
    }

    /// What the server says of a token (RFC 7662), asked at most once per
    /// [`min_introspect_interval`](super::TokenManagerBuilder::min_introspect_interval), however
    /// many callers come; a failure is told to all for as long as one to renew is. One in memory
    /// that is not active is not handed out again, as with [`TokenManager::invalidate`].
    ///
    /// # Errors
    /// As [`Client::introspect`](crate::Client::introspect).
    pub async fn introspect(&self, token: &AccessToken) -> Result<Introspection, Error> {
        self.ask_about(token, Age::Any).await
    }

    async fn ask_about(&self, token: &AccessToken, age: Age) -> Result<Introspection, Error> {
        let (shared, known) = (&self.shared, &self.shared.introspections);
        let digest = digest(token.expose_secret());
        if let Some(said) = known.known(&digest, shared.timeline.now()) {
            return said;
        }
        let _asking = known.asking.lock(&digest).await;
        if let Some(said) = known.known(&digest, shared.timeline.now()) {
            return said;
        }
        let said = self
            .client()
            .introspect(token.as_secret(), Some(TokenTypeHint::AccessToken))
            .await;
        let answer = shared.noting(&known.failures, &digest, said)?;
        if age == Age::New && !answer.is_active() {
            return Ok(answer);
        }
        let interval = nanos(shared.settings.min_introspect_interval);
        let end = answer
            .expires_at()
            .map_or(Moment::MAX, |end| shared.timeline.moment(end));
        let now = shared.timeline.now();
        let until = now.saturating_add(interval).min(end);
        known.answers.put(digest, now, |_| (answer.clone(), until));
        if !answer.is_active() {
            self.hand_out_no_more(token).await;
        }
        Ok(answer)
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

    /// Invalidates a token that the server calls dead, whoever's it is.
    async fn hand_out_no_more(&self, token: &AccessToken) {
        let found = self
            .shared
            .table
            .requests(|kept| kept.is_access_token(token));
        let own = |key: &FlightKey| key.owner.registration == self.registration.id();
        for key in found.into_iter().map(|(_, key)| key).filter(own) {
            if let Err(error) = self.invalidate(&key.owner.subject, token).await {
                tracing::warn!(%error, "that a token is not active could not be stored");
            }
        }
    }

    async fn forget(&self, subject: &Subject, access_token: &AccessToken) -> Result<(), Error> {
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

impl fmt::Debug for Introspections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Introspections")
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

pub(super) fn digest(text: &str) -> Digest {
    hmac_sha256::Hash::hash(text.as_bytes())
}

fn fingerprint(text: &str) -> String {
    digest(text)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
