//! One call of the API with one token.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use oauth_core::{AccessToken, Call, EndpointKind, ErrorCode, OAuthError, Provider, Replay};
use url::Url;

use super::Authentication;
use crate::{Error, provider::says_token_is_dead};

const API: EndpointKind = EndpointKind::Other("api");

/// Why a call of the API has no answer.
pub(crate) enum Refusal {
    /// The server does not take the token any more; another one may work.
    DeadToken(oauth_core::Error),
    /// Anything else.
    Other(oauth_core::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::DeadToken(error) | Refusal::Other(error) => error.into(),
        }
    }
}

impl Authentication {
    /// The request with its whole URL, which is under the base URL: a token goes nowhere else.
    pub(crate) fn resolve(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Request<Bytes>, Error> {
        let base = self.0.platform.base_url();
        let uri = request.uri();
        let text = if uri.scheme().is_some() {
            uri.to_string()
        } else {
            format!("{base}{uri}")
        };
        let elsewhere = || {
            Error::usage(
                "the request does not go to this Ministry Platform's API; give a path that starts with a slash",
            )
        };
        // The URL parser takes `..` out of the path, in all its spellings.
        let url = Url::parse(&text).map_err(|_| elsewhere())?;
        let inside = url
            .path()
            .strip_prefix(base.path())
            .is_some_and(|rest| rest.starts_with('/'));
        let plain =
            url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
        if !(inside && plain) {
            return Err(elsewhere());
        }
        *request.uri_mut() = url.as_str().parse().map_err(|_| elsewhere())?;
        request
            .headers_mut()
            .entry(header::ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// Sends a resolved request with `token`.
    pub(crate) async fn call(
        &self,
        mut request: http::Request<Bytes>,
        token: &AccessToken,
    ) -> Result<http::Response<Bytes>, Refusal> {
        let inner = &self.0;
        inner
            .platform
            .authorize_request(token, request.headers_mut())
            .map_err(Refusal::Other)?;
        let replay = if matches!(*request.method(), Method::GET | Method::HEAD) {
            Replay::Always
        } else {
            Replay::Unsent
        };
        let call = Call::new(API, replay)
            .with_retry(inner.api_retry.clone())
            .with_secret(token.expose_secret());
        match inner.client.send(request, call).await {
            Ok(response) if says_token_is_dead(&response) => {
                let error = oauth_core::Error::oauth(OAuthError::new(ErrorCode::InvalidToken));
                Err(Refusal::DeadToken(
                    error.at(API).with_status(response.status()),
                ))
            }
            Ok(response) => Ok(response),
            Err(error) if is_dead(&error) => Err(Refusal::DeadToken(error)),
            Err(error) => Err(Refusal::Other(error)),
        }
    }
}

/// Whether an error says that the token is no good any more, in words or by its status.
fn is_dead(error: &oauth_core::Error) -> bool {
    error.code() == Some(&ErrorCode::InvalidToken)
        || error.status() == Some(StatusCode::UNAUTHORIZED)
}
