//! The userinfo endpoint (OpenID Connect Core §5.3).

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value};

use super::{Call, Client};
use crate::{
    AccessToken, EndpointKind, EndpointUrl, Error, Replay, Token, TokenType, response::json_object,
};

/// The claims about the user. They are personal data: `Debug` shows none.
#[derive(Clone, PartialEq)]
pub struct UserInfo(Map<String, Value>);

impl Client {
    /// Asks who the user of a token is.
    ///
    /// # Errors
    /// As for every endpoint; `invalid_token` when the token is dead (RFC 6750 §3.1); a protocol
    /// error when the answer is not a JSON object with a `sub`.
    pub async fn userinfo(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        self.userinfo_as(token, self.usual_token_type()).await
    }

    /// As [`Client::userinfo`], for a token that says how it is used: one that may be bound.
    ///
    /// # Errors
    /// As [`Client::userinfo`].
    pub async fn userinfo_of(&self, token: &dyn Token) -> Result<UserInfo, Error> {
        self.userinfo_as(token.access_token(), token.token_type())
            .await
    }

    async fn userinfo_as(
        &self,
        token: &AccessToken,
        token_type: TokenType,
    ) -> Result<UserInfo, Error> {
        let endpoint = EndpointKind::UserInfo;
        let url = self.endpoint(self.provider().endpoints().userinfo(), endpoint)?;
        let call = Call::new(endpoint, Replay::Always).with_secret(token.as_secret().clone());
        let answer = self.call(self.get(url, token, token_type)?, &call).await?;
        let read = json_object(&answer.response).and_then(UserInfo::from_members);
        read.map_err(|error| self.finish(self.describe(error, &answer.response), &call))
    }

    fn get(
        &self,
        url: &EndpointUrl,
        token: &AccessToken,
        token_type: TokenType,
    ) -> Result<http::Request<Bytes>, Error> {
        let mut request = http::Request::get(url.as_str())
            .body(Bytes::new())
            .map_err(|_| Error::usage("the endpoint URL is not one that HTTP can ask for"))?;
        self.attach(token, token_type, request.headers_mut())?;
        request
            .headers_mut()
            .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

impl UserInfo {
    pub(crate) fn from_members(claims: Map<String, Value>) -> Result<Self, Error> {
        match claims.get("sub") {
            Some(Value::String(_)) => Ok(Self(claims)),
            _ => Err(Error::protocol(
                "claim \"sub\" is missing or not a text (OpenID Connect Core section 5.3.2)",
            )),
        }
    }

    /// The subject: the user, for this issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Every claim, as it came.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserInfo({} claims)", self.0.len())
    }
}
