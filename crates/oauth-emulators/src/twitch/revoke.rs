//! `POST /oauth2/revoke`: unlike RFC 7009 §2.2, a token that is not there is an error.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{Refusal, Twitch};
use crate::reply;

impl Twitch {
    pub(super) async fn revoke(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let params = Self::params(request);
        let client_id = params
            .get("client_id")
            .ok_or(Refusal::bad("missing client id"))?;
        if self.authority.client(client_id).is_none() {
            let status = StatusCode::NOT_FOUND;
            return Err(Refusal::new(status, "client does not exist"));
        }
        let token = params
            .get("token")
            .ok_or(Refusal::bad("missing oauth token"))?;
        let record = self.authority.access_token(token).await?;
        if record.is_none_or(|record| record.client_id() != client_id) {
            return Err(Refusal::bad("Invalid token"));
        }
        self.authority.server.revoke_token(token).await?;
        Ok(reply::empty(StatusCode::OK))
    }
}
