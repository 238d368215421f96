//! `GET /oauth2/validate`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Refusal, Twitch};
use crate::params::authorization;
use crate::reply;

impl Twitch {
    /// The header word is `OAuth`; with `Bearer` there is no token here.
    pub(super) async fn validate(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let unauthorized = |message| Refusal::new(StatusCode::UNAUTHORIZED, message);
        let token = authorization(request, "OAuth")
            .filter(|token| !token.is_empty())
            .ok_or(unauthorized("missing authorization token"))?;
        let record = self.authority.access_token(token).await?;
        let record = record.ok_or(unauthorized("invalid access token"))?;
        let scopes: Vec<_> = record.scope().iter().collect();
        let mut body = json!({
            "client_id": record.client_id(),
            "scopes": scopes,
            "expires_in": self.authority.seconds_left(&record),
        });
        if let Some(user_id) = record.subject() {
            body["login"] = self.authority.username(user_id).into();
            body["user_id"] = user_id.into();
            if record.scope().is_empty() {
                body["scopes"] = Value::Null;
            }
        }
        Ok(reply::json(StatusCode::OK, &body))
    }
}
