//! `POST /oauth2/token`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;

use super::scope::are_scopes;
use super::{Moov, Refusal, caller, headers};
use crate::params::Params;
use crate::reply;

impl Moov {
    pub(super) async fn token(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let settings = self.switches.get();
        headers::check_origin(request, &settings.allowed_origins)?;
        headers::check_version(request)?;
        let params = caller::body(request)?;
        let pairs = caller::key_pairs(request, &params)?;
        let credentials = self.authenticate(pairs).await?;
        let asked = credentials.extend(grant(&params)?);
        let granted = self.authority.token(asked).await?;
        let lifetime = granted.expires_in();
        let expires_in = match settings.expires_in_as_unix_time {
            true => self.clock.epoch_seconds() + lifetime,
            false => lifetime,
        };
        let body = json!({
            "token_type": "Bearer",
            "access_token": granted.access_token(),
            "refresh_token": granted.refresh_token(),
            "expires_in": expires_in,
            "scope": granted.scope().to_string(),
        });
        Ok(reply::json(StatusCode::OK, &body))
    }
}

fn grant(params: &Params) -> Result<Params, Refusal> {
    let required = "is required";
    let asked = |grant_type| Params::default().set("grant_type", grant_type);
    match params.get("grant_type") {
        Some("client_credentials") => match params.get("scope") {
            Some(scope) if are_scopes(scope) => Ok(asked("client_credentials").set("scope", scope)),
            Some(_) => Err(Refusal::field("scope", "is not a known scope")),
            None => Err(Refusal::field("scope", required)),
        },
        Some("refresh_token") => match params.get("refresh_token") {
            Some(token) => Ok(asked("refresh_token").set("refresh_token", token)),
            None => Err(Refusal::field("refresh_token", required)),
        },
        Some(_) => Err(Refusal::Generic("unsupported_grant_type")),
        None => Err(Refusal::Generic("invalid_request")),
    }
}
