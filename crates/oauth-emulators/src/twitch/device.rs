//! `POST /oauth2/device`, and the page where a person types the code.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oauth_server::ErrorCode;
use serde_json::json;

use super::{Refusal, Twitch};
use crate::authority::{DeviceAction, USER, form};
use crate::params::Params;
use crate::reply;

/// What the answer says; polls that come faster are not punished.
const INTERVAL_SECONDS: u64 = 5;

impl Twitch {
    /// The parameter is `scopes`: with RFC 8628's `scope` the token has none.
    pub(super) async fn device(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let params = Self::params(request);
        let client = self.known_client(&params)?;
        let asked = Params::default()
            .set("client_id", &client.client_id)
            .set_some("client_secret", client.exposed_secret())
            .set_some("scope", params.get("scopes"));
        let asked = form("/device_authorization", &asked);
        let started = self.authority.server.device_authorization(&asked).await;
        let started = started.map_err(|error| match error.code() {
            ErrorCode::InvalidScope => Refusal::bad("invalid scope requested"),
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Refusal::SERVER_FAULT,
            _ => Refusal::bad("invalid client"),
        })?;
        let user_code = started.user_code().replace('-', "");
        let uri = format!(
            "{}/activate?public=true&device-code={user_code}",
            self.base_url
        );
        let body = json!({
            "device_code": started.device_code(),
            "expires_in": started.expires_in(),
            "interval": INTERVAL_SECONDS,
            "user_code": user_code,
            "verification_uri": uri,
        });
        Ok(reply::json(StatusCode::OK, &body))
    }

    /// Opening the page is consenting, unless the person is set to say no.
    pub(super) async fn activate(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let query = Params::query(request);
        let user_code = query.get("device-code").unwrap_or_default();
        let action = if self.switches.says_no(&query) {
            DeviceAction::Deny
        } else {
            DeviceAction::Approve
        };
        let page = match self
            .authority
            .decide_device(user_code, action, USER)
            .await?
        {
            true => (StatusCode::OK, "Done. You may close this page.\n"),
            false => (StatusCode::BAD_REQUEST, "This code is not valid.\n"),
        };
        Ok(reply::text(page.0, "text/plain; charset=utf-8", page.1))
    }
}
