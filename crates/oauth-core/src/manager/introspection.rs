//! What the server says of a token (RFC 7662), asked as seldom as may be.

use std::fmt;

use super::{
    TokenManager,
    failures::Failures,
    locks::Locks,
    room::Expiring,
    shared::FlightKey,
    table::Key,
    timeline::{Moment, nanos},
    update::Update,
};
use crate::{
    AccessToken, Error, Introspection, RefreshToken, Token, TokenSet, TokenTypeHint, store::Subject,
};

/// What servers said of tokens, for as long as the manager may believe it.
#[derive(Default)]
pub(crate) struct Introspections {
    answers: Expiring<Digest, Introspection>,
    failures: Failures<Digest>,
    asking: Locks<Digest>,
}

/// Whether an introspected token was granted just now: that it is not active is then neither believed
/// nor kept in mind.
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

    pub(super) fn forget(&self, token: &Digest) {
        self.answers.forget(token);
        self.failures.forget(token);
    }

    pub(super) fn clear(&self) {
        self.answers.clear();
        self.failures.clear();
    }
}

impl TokenManager {
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
    /// active or ended (its introspection lags, or is another server's) is not believed: the next token
    /// would be no better, and every call would renew.
    pub(super) async fn note_end(&self, key: &Key, token: &TokenSet) {
        if !self.needs_end(token) {
            return;
        }
        let said = self.ask_about(token.access_token(), Age::New).await.ok();
        let now = self.shared.clock.now();
        let end = said.and_then(|said| said.expires_at());
        if let Some(expires_at) = end.filter(|end| *end > now) {
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
    /// many callers come, and once more where
    /// [`auto_introspect`](super::TokenManagerBuilder::auto_introspect) has asked; a failure is told to
    /// all for as long as one to renew is. One in memory that is not active is not handed out again, as
    /// with [`TokenManager::invalidate`].
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
}

impl fmt::Debug for Introspections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Introspections")
    }
}

pub(super) fn digest(text: &str) -> Digest {
    hmac_sha256::Hash::hash(text.as_bytes())
}
