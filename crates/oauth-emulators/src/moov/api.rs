//! A little of the API, to see tokens at work: `/ping`, `/accounts`, `/accounts/{accountID}`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;

use super::{Moov, Refusal, caller, headers};
use crate::params::{Params, authorization};
use crate::reply;

impl Moov {
    /// The key pair may do everything; a token needs the scope, and a listed Origin or Referer.
    pub(super) async fn api(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        headers::check_version(request)?;
        if authorization(request, "Basic").is_some() {
            let pairs = caller::key_pairs(request, &Params::default())?;
            self.authenticate(pairs).await?;
        } else {
            self.check_token(request).await?;
        }
        match path(request)[..] {
            ["ping"] => Ok(reply::empty(StatusCode::OK)),
            ["accounts"] => Ok(reply::json(StatusCode::OK, &json!([]))),
            ["accounts", account] => {
                let body = json!({"accountID": account, "mode": "sandbox", "displayName": "Test"});
                Ok(reply::json(StatusCode::OK, &body))
            }
            _ => Err(Refusal::Empty(StatusCode::NOT_FOUND)),
        }
    }

    async fn check_token(&self, request: &Request<Bytes>) -> Result<(), Refusal> {
        let token = authorization(request, "Bearer").unwrap_or_default();
        let record = self.authority.access_token(token).await?;
        let record = record.ok_or(Refusal::UNAUTHENTICATED)?;
        headers::check_origin(request, &self.switches.get().allowed_origins)?;
        let allowed = match path(request)[..] {
            ["ping"] => record.scope().contains("/ping.read"),
            ["accounts", account] => {
                let own = format!("/accounts/{account}/profile.read");
                record.scope().contains("/accounts.read") || record.scope().contains(&own)
            }
            _ => record.scope().contains("/accounts.read"),
        };
        if allowed {
            Ok(())
        } else {
            Err(Refusal::FORBIDDEN)
        }
    }
}

fn path(request: &Request<Bytes>) -> Vec<&str> {
    request.uri().path().split('/').skip(1).collect()
}
