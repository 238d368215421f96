//! What is known of a user: the claims of id tokens and of the userinfo endpoint (OpenID Connect
//! Core §2, §5.3), kept with the user's tokens.

use serde_json::{Map, Value};

use super::{
    ManagedToken, TokenManager,
    failures::Failures,
    introspection::{Digest, digest},
    locks::Locks,
    room::Expiring,
    table::Key,
    timeline::nanos,
    update::Update,
};
use crate::{Error, UserInfo, store::Subject};

/// When userinfo may be asked again.
#[derive(Debug, Default)]
pub(crate) struct ClaimsAsked {
    lately: Expiring<Key, ()>,
    /// Of the access token that was sent: a new one is another try.
    failures: Failures<Digest>,
    asking: Locks<Key>,
}

impl ClaimsAsked {
    pub(crate) fn clear(&self) {
        self.lately.clear();
        self.failures.clear();
    }
}

/// Where claims come from.
const ID_TOKEN: &str = "id_token";
const USERINFO: &str = "userinfo";

impl TokenManager {
    /// What the issuer says of a user: the claims of the newest id token, which is signed, before
    /// those of the userinfo endpoint. That is asked at most once per
    /// [`min_userinfo_refresh_interval`](super::TokenManagerBuilder::min_userinfo_refresh_interval),
    /// however many callers come; a failure is told to all for as long as one to renew is.
    ///
    /// # Errors
    /// As [`TokenManager::get`] and [`Client::userinfo`](crate::Client::userinfo); a protocol error
    /// when the answer is about somebody else (OpenID Connect Core §5.3.2).
    pub async fn claims(&self, subject: &Subject) -> Result<Map<String, Value>, Error> {
        let shared = &self.shared;
        let key = self.key(subject);
        let asked = &shared.claims;
        let _asking = asked.asking.lock(&key).await;
        let known = shared.known(&self.registration, &key).await;
        let mut claims = known.record.claims().clone();
        if claims.contains_key(USERINFO) && asked.lately.contains(&key, shared.timeline.now()) {
            return Ok(merged(&claims));
        }
        let token = self.get(subject, None).await?;
        let digest = digest(token.expose_secret());
        if let Some(error) = asked.failures.get(&digest, shared.timeline.now()) {
            return Err(error);
        }
        let said = self.asked(&token, &merged(&claims)).await;
        let said = shared.noting(&asked.failures, &digest, said)?;
        self.note_claims(&key, USERINFO, said.claims()).await;
        let now = shared.timeline.now();
        let interval = nanos(shared.settings.min_userinfo_refresh_interval);
        asked
            .lately
            .put(key, now, |_| ((), now.saturating_add(interval)));
        claims.insert(USERINFO.to_owned(), said.claims().clone().into());
        Ok(merged(&claims))
    }

    /// What the userinfo endpoint says of the user that is known as `before`.
    async fn asked(
        &self,
        token: &ManagedToken,
        before: &Map<String, Value>,
    ) -> Result<UserInfo, Error> {
        let said = self.client().userinfo(&token.access_token()).await?;
        let before = before.get("sub").and_then(Value::as_str);
        if before.is_some_and(|sub| sub != said.subject()) {
            return Err(Error::protocol(
                "claim \"sub\" is another than before; the answer was not used (OpenID Connect Core section 5.3.2)",
            ));
        }
        Ok(said)
    }

    /// Keeps the claims of an id token that was verified at login, with the user's tokens. Those of
    /// the id tokens that come with refreshes take their place, once they are verified. A user
    /// without tokens has no claims either: [`register`](TokenManager::register) the tokens first.
    #[cfg(feature = "openid")]
    pub async fn register_claims(&self, subject: &Subject, claims: &crate::openid::Claims) {
        self.note_claims(&self.key(subject), ID_TOKEN, claims.members())
            .await;
    }

    /// What was learned is worth telling also when it cannot be stored.
    async fn note_claims(&self, key: &Key, source: &'static str, claims: &Map<String, Value>) {
        let claims = claims.clone();
        let update = Update::Claims { source, claims };
        if let Err(error) = self.change(key, &update).await {
            tracing::warn!(%error, "claims are only in memory for now");
        }
    }

    /// Verifies the id token that came with a refresh: of the same user and issuer as the one
    /// before (OpenID Connect Core §12.2). One that is wrong is left out; the tokens beside it are
    /// real.
    #[cfg(feature = "openid")]
    pub(super) async fn note_id_token(&self, key: &Key, token: &crate::TokenSet) {
        use crate::openid::{Claims, Expected};

        if token.id_token().is_none() || self.client().id_token_verifier().is_err() {
            return;
        }
        let known = self.shared.known(&self.registration, key).await;
        let expected = match known.record.claims().get(ID_TOKEN) {
            Some(Value::Object(members)) => Expected::refreshed(&Claims::kept(members.clone())),
            _ => Expected::new(),
        };
        match self.client().verify_id_token(token, &expected).await {
            Ok(claims) => self.note_claims(key, ID_TOKEN, claims.members()).await,
            Err(error) => tracing::warn!(%error, "the id token of a refresh was not used"),
        }
    }
}

/// What is signed before what is not.
fn merged(claims: &Map<String, Value>) -> Map<String, Value> {
    let of = |source| {
        claims
            .get(source)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    let all = of(USERINFO).chain(of(ID_TOKEN));
    all.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
