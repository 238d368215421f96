//! One token of a session: the headers and calls that carry it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use oauth_core::{
    AccessToken, Call, EndpointKind, Provider, Replay, Scopes,
    manager::{ManagedToken, TokenHandle},
    store::Subject,
};
use url::Url;

use super::Session;
use crate::Error;

const API: EndpointKind = EndpointKind::Other("api");

/// The token with one set of scopes. Cheap to clone; it always gives the current token, whoever
/// has renewed it.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    session: Session,
    tokens: TokenHandle,
}

impl SessionHandle {
    pub(super) fn new(session: &Session, scopes: Scopes) -> Self {
        Self {
            tokens: session.tokens.source(&Subject::Client, Some(&scopes)),
            session: session.clone(),
        }
    }

    /// The token.
    ///
    /// # Errors
    /// As [`Client::create_access_token`](crate::Client::create_access_token).
    pub async fn token(&self) -> Result<ManagedToken, Error> {
        Ok(self.tokens.token().await?)
    }

    /// Puts into a request of the API what it needs: the token, `Origin` or `Referer`, and the
    /// version. Tells which token it was.
    ///
    /// # Errors
    /// As [`SessionHandle::token`]; the headers are then as they were.
    pub async fn authorize(&self, headers: &mut HeaderMap) -> Result<ManagedToken, Error> {
        // Moov prefers an Origin where both are, whatever was meant.
        let mut own = HeaderMap::new();
        let token = self.tokens.authorize(&mut own).await?;
        headers.remove(http::header::ORIGIN);
        headers.remove(http::header::REFERER);
        headers.extend(own);
        Ok(token)
    }

    /// The headers of a request of the API, for another HTTP client.
    ///
    /// # Errors
    /// As [`SessionHandle::token`].
    pub async fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        self.authorize(&mut headers).await?;
        Ok(headers)
    }

    /// Calls Moov's API: `request` has the whole URL. Gives the answer when it is a 2XX. After a
    /// 401 the token is renewed, once for everybody who gets one for it, and the call is sent
    /// again, once. When Moov refuses the new token too, no call renews it for a minute.
    ///
    /// # Errors
    /// As [`SessionHandle::token`], and what the API answers. A usage error, and nothing sent,
    /// when the URL is not one of this Moov: the token goes nowhere else.
    pub async fn send(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        self.check(&request.uri().to_string())?;
        let token = self.authorize(request.headers_mut()).await?.access_token();
        let tokens = self.session.tokens();
        let answer = self.call(request.clone(), &token).await;
        if !is_refused(&answer) || tokens.was_refused_anew(&token) {
            return answer;
        }
        self.reject(&token).await;
        let token = self.authorize(request.headers_mut()).await?.access_token();
        let answer = self.call(request, &token).await;
        if is_refused(&answer) {
            tokens.refused_anew(&token);
        }
        answer
    }

    /// Says that Moov has answered 401 to this token, in a call that was not made by
    /// [`SessionHandle::send`]. If it still is the current one, the next use renews it.
    pub async fn reject(&self, token: &AccessToken) {
        let tokens = &self.session.tokens;
        // It is forgotten here in any case, and written to the store until that is done.
        if let Err(error) = tokens.invalidate(&Subject::Client, token).await {
            tracing::warn!(%error, "the store does not know yet that a token is dead");
        }
    }

    /// Forgets the token, and revokes it at Moov: first the refresh token, then the access token.
    ///
    /// # Errors
    /// As [`Session::revoke_all`]; as [`SessionHandle::token`] when there is none.
    pub async fn revoke(&self) -> Result<(), Error> {
        let token = self.tokens.token().await?.access_token();
        let tokens = &self.session.tokens;
        let deleted = tokens.delete(&Subject::Client, &token).await?;
        Ok(deleted.revocations.into_iter().collect::<Result<(), _>>()?)
    }

    async fn call(
        &self,
        request: http::Request<Bytes>,
        token: &AccessToken,
    ) -> Result<http::Response<Bytes>, Error> {
        let replay = if request.method().is_safe() {
            Replay::Always
        } else {
            Replay::Unsent
        };
        let call = Call::new(API, replay).with_secret(token.expose_secret());
        Ok(self.session.client.core().send(request, call).await?)
    }

    fn check(&self, url: &str) -> Result<(), Error> {
        let moov = self.session.client.core().provider();
        let base = Provider::endpoints(moov).token().as_url();
        let within = |url: Url| {
            url.origin() == base.origin() && url.username().is_empty() && url.password().is_none()
        };
        if Url::parse(url).is_ok_and(within) {
            return Ok(());
        }
        let message = "this is not a URL of Moov; the token is sent nowhere else";
        Err(oauth_core::Error::usage(message).into())
    }
}

fn is_refused<T>(answer: &Result<T, Error>) -> bool {
    let status = answer.as_ref().err().and_then(Error::status);
    status == Some(StatusCode::UNAUTHORIZED)
}
