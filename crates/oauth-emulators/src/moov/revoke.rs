//! `POST /oauth2/revoke`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{Moov, Refusal, caller, headers};
use crate::authority::form;
use crate::reply;

impl Moov {
    /// 204, also for a token that is not there (RFC 7009 §2.2).
    pub(super) async fn revoke(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        headers::check_version(request)?;
        let params = caller::body(request)?;
        let pairs = caller::key_pairs(request, &params)?;
        let credentials = self.authenticate(pairs).await?;
        let hint = params.get("token_type_hint");
        let mut wrong = Vec::new();
        if params.get("token").is_none() {
            wrong.push(("token", "is required"));
        }
        if !matches!(hint, None | Some("access_token" | "refresh_token")) {
            wrong.push(("token_type_hint", "must be access_token or refresh_token"));
        }
        if !wrong.is_empty() {
            return Err(Refusal::Fields(wrong));
        }
        let asked = credentials
            .set_some("token", params.get("token"))
            .set_some("token_type_hint", hint);
        self.authority
            .server
            .revoke(&form("/revoke", &asked))
            .await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }
}
