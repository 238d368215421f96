//! One token of a session: the headers and calls that carry it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::HeaderMap;
use oauth_core::{
    AccessToken, Error, ErrorCode,
    clock::Clock,
    manager::{ManagedToken, TokenHandle},
    store::Subject,
};

use super::{
    Session,
    validations::{AGAIN, Checked, HOUR},
};
use crate::{Revoked, Validation, helix::Unauthorized};

/// The token of one user, or of the application. Cheap to clone; it always gives the current
/// token, whoever has renewed it.
///
/// Before a token is handed out for the first time it is validated, and again when that is an
/// hour ago; all callers wait for the one answer. When it says that the token is dead, the token
/// is renewed, once. An answer that says neither, a 500 for instance, ends no session: the token
/// is handed out, and Twitch asked again within a minute.
#[derive(Clone)]
pub struct SessionHandle {
    session: Session,
    subject: Subject,
    tokens: TokenHandle,
    checked: Arc<Checked>,
}

impl SessionHandle {
    pub(super) fn new(session: &Session, subject: Subject) -> Self {
        let clock = session.0.client.core().clock();
        Self {
            checked: session.0.validations.of(&subject, &**clock),
            tokens: session.0.tokens.source(&subject, None),
            session: session.clone(),
            subject,
        }
    }

    /// The token.
    ///
    /// # Errors
    /// [`needs_reauthorization`](Error::needs_reauthorization) when the user has to consent, for
    /// the first time or again; a usage error when the token is not this user's or not this
    /// client's; otherwise what happened on the way to a new one.
    pub async fn token(&self) -> Result<ManagedToken, Error> {
        if self.checked.is_due(self.clock()) {
            self.validated().await
        } else {
            self.tokens.token().await
        }
    }

    /// Puts the two headers that Helix wants into a request: `Authorization` and `Client-Id`.
    /// Tells which token it was.
    ///
    /// # Errors
    /// As [`SessionHandle::token`]; the headers are then as they were.
    pub async fn authorize(&self, headers: &mut HeaderMap) -> Result<ManagedToken, Error> {
        if self.checked.is_due(self.clock()) {
            self.validated().await?;
        }
        self.tokens.authorize(headers).await
    }

    /// The two headers that Helix wants, for requests of another HTTP client.
    ///
    /// # Errors
    /// As [`SessionHandle::token`].
    pub async fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        self.authorize(&mut headers).await?;
        Ok(headers)
    }

    /// Calls Helix as [`Client::helix`](crate::Client::helix) does, waiting for `Ratelimit-Reset`
    /// where that helps. When Helix says that the token is dead, and it still is the current one,
    /// the token is renewed, once for everybody who hears that; the call is sent again with the
    /// one that is current then. No other 401 is worth it, and no second one: when Helix refuses
    /// the new token too, no call renews it for a minute.
    ///
    /// # Errors
    /// As [`SessionHandle::token`] and [`Client::helix`](crate::Client::helix).
    pub async fn helix(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let client = self.session.client();
        client.check_helix(&request.uri().to_string())?;
        let token = self.authorize(request.headers_mut()).await?.access_token();
        let tokens = self.session.tokens();
        let answer = client.send_helix(request.clone(), &token).await;
        if !is_refused(&answer) || tokens.was_refused_anew(&token) {
            return answer;
        }
        self.reject(&token).await;
        let token = self.authorize(request.headers_mut()).await?.access_token();
        let answer = client.send_helix(request, &token).await;
        if is_refused(&answer) {
            tokens.refused_anew(&token);
        }
        answer
    }

    /// Says that Twitch has called this token dead, in a call that was not made by
    /// [`SessionHandle::helix`]. If it still is the current one, the next use renews it.
    pub async fn reject(&self, token: &AccessToken) {
        let tokens = &self.session.0.tokens;
        // It is forgotten here in any case, and written to the store until that is done.
        if let Err(error) = tokens.invalidate(&self.subject, token).await {
            tracing::warn!(%error, "the store does not know yet that a token is dead");
        }
    }

    /// Asks Twitch now, whenever it was asked before.
    ///
    /// # Errors
    /// As [`Client::token_validate`](crate::Client::token_validate), of a token that was renewed
    /// if need be; and as [`SessionHandle::token`].
    pub async fn validate(&self) -> Result<Validation, Error> {
        let token = self.tokens.token().await?;
        let mut said = self.ask(&token).await;
        if said.as_ref().is_err_and(is_dead) {
            self.reject(&token.access_token()).await;
            said = self.ask(&self.tokens.token().await?).await;
        }
        let said = said?;
        self.validated_now();
        Ok(said)
    }

    /// Forgets the token, and revokes it at Twitch. A renewal that is under way does not bring it
    /// back.
    ///
    /// # Errors
    /// As [`Client::token_revoke`](crate::Client::token_revoke): the token may still work, but not
    /// here; when it may still be in the store.
    pub async fn log_out(&self) -> Result<Revoked, Error> {
        let token = self.tokens.token().await;
        self.session.0.tokens.clear(&self.subject).await?;
        self.not_validated();
        match token {
            Ok(token) => {
                let client = self.session.client();
                client.token_revoke(&token.access_token()).await
            }
            Err(error) if error.needs_reauthorization() => Ok(Revoked::AlreadyGone),
            Err(error) => Err(error),
        }
    }

    /// The user's id; `None` for the application itself.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.subject.user_id()
    }

    pub(super) fn validated_now(&self) {
        self.checked.due_in(self.clock(), HOUR);
    }

    pub(super) fn not_validated(&self) {
        self.checked.due_now();
    }

    async fn validated(&self) -> Result<ManagedToken, Error> {
        let _asking = self.checked.asking.lock().await;
        let token = self.tokens.token().await?;
        if !self.checked.is_due(self.clock()) {
            return Ok(token);
        }
        match self.ask(&token).await {
            Ok(_) => {
                self.validated_now();
                Ok(token)
            }
            Err(error) if is_dead(&error) => {
                self.reject(&token.access_token()).await;
                let next = self.tokens.token().await?;
                // It came from Twitch this moment.
                self.validated_now();
                Ok(next)
            }
            Err(error) if error.nothing_sent() && !error.is_transient() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "Twitch does not say whether a token is valid");
                self.checked.due_in(self.clock(), AGAIN);
                Ok(token)
            }
        }
    }

    /// What Twitch says of the token; a usage error when it is not the one that it is kept as.
    async fn ask(&self, token: &ManagedToken) -> Result<Validation, Error> {
        let client = self.session.client();
        let said = client.token_validate(&token.access_token()).await?;
        if said.client_id() != client.client_id() {
            // Helix would refuse the pair of client id and token, and no refresh would mend that.
            return Err(Error::usage("this token was issued to another client"));
        }
        if said.user_id() != self.subject.user_id() {
            return Err(Error::usage(
                "this token is not this user's; register it under the id that Twitch names",
            ));
        }
        Ok(said)
    }

    fn clock(&self) -> &dyn Clock {
        &**self.session.0.client.core().clock()
    }
}

fn is_refused<T>(answer: &Result<T, Error>) -> bool {
    let said = answer.as_ref().err().and_then(Unauthorized::of);
    said == Some(Unauthorized::InvalidToken)
}

fn is_dead(error: &Error) -> bool {
    error.code() == Some(&ErrorCode::InvalidToken) && !error.is_transient()
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
