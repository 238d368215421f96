//! `POST /oauth2/token`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oauth_server::{ErrorCode, OAuthError, TokenResponse};
use serde_json::{Value, json};

use super::{Refusal, Twitch};
use crate::params::Params;
use crate::{Client, reply};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const MISSING_SECRET: Refusal = Refusal::bad("missing client secret");
const MISMATCH: Refusal = Refusal::bad("Parameter redirect_uri does not match registered URI");

impl Twitch {
    pub(super) async fn token(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let params = Self::params(request);
        let client = self.known_client(&params)?;
        let body = match params.get("grant_type") {
            Some("authorization_code") => self.redeem_code(&client, &params).await?,
            Some("client_credentials") => self.app_token(&client, &params).await?,
            Some("refresh_token") => self.refresh(&client, &params).await?,
            Some(DEVICE_CODE) => self.redeem_device_code(&client, &params).await?,
            Some(_) => return Err(Refusal::bad("invalid grant type")),
            None => return Err(Refusal::bad("missing grant type")),
        };
        Ok(reply::json(StatusCode::OK, &body))
    }

    /// A public client has no secret to send, so this flow is closed to it; a code challenge
    /// changes nothing (there is no PKCE).
    async fn redeem_code(&self, client: &Client, params: &Params) -> Result<Value, Refusal> {
        let secret = params.get("client_secret").ok_or(MISSING_SECRET)?;
        let code = params.get("code").ok_or(Refusal::bad("missing code"))?;
        let redirect_uri = params
            .get("redirect_uri")
            .ok_or(Refusal::bad("missing redirect uri"))?;
        if !client
            .redirect_uris()
            .iter()
            .any(|known| known == redirect_uri)
        {
            return Err(MISMATCH);
        }
        let asked = grant("authorization_code", client)
            .set("client_secret", secret)
            .set("code", code)
            .set("redirect_uri", redirect_uri);
        let invalid = Refusal::bad("Invalid authorization code");
        let granted = self.granted(asked, invalid).await?;
        Ok(with_scope(user_token(&granted), &granted))
    }

    /// Scopes are neither asked for nor said.
    async fn app_token(&self, client: &Client, params: &Params) -> Result<Value, Refusal> {
        let secret = params.get("client_secret").ok_or(MISSING_SECRET)?;
        let asked = grant("client_credentials", client).set("client_secret", secret);
        let granted = self.granted(asked, Refusal::bad("invalid client")).await?;
        Ok(json!({
            "access_token": granted.access_token(),
            "expires_in": granted.expires_in(),
            "token_type": "bearer",
        }))
    }

    /// A `scope` parameter is ignored: the new token always has all of them.
    async fn refresh(&self, client: &Client, params: &Params) -> Result<Value, Refusal> {
        let secret = params.get("client_secret");
        if secret.is_none() && !client.is_public() {
            return Err(MISSING_SECRET);
        }
        let refresh_token = params
            .get("refresh_token")
            .ok_or(Refusal::bad("missing refresh token"))?;
        let asked = grant("refresh_token", client)
            .set_some("client_secret", secret)
            .set("refresh_token", refresh_token);
        let invalid = Refusal::bad("Invalid refresh token").naming_status();
        let granted = self.granted(asked, invalid).await?;
        let settings = self.switches.get();
        let mut body = with_scope(user_token(&granted), &granted);
        if let Some(members) = body.as_object_mut()
            && !settings.expires_in_on_refresh
        {
            members.remove("expires_in");
        }
        if settings.scope_as_text_on_refresh && body.get("scope").is_some() {
            body["scope"] = granted.scope().to_string().into();
        }
        Ok(body)
    }

    /// No secret is asked for, whatever the client's type.
    async fn redeem_device_code(&self, client: &Client, params: &Params) -> Result<Value, Refusal> {
        let device_code = params
            .get("device_code")
            .ok_or(Refusal::bad("missing device_code"))?;
        // Wrong, expired, refused and already used are told apart by nothing.
        let invalid = Refusal::bad("invalid device code");
        // Between the look and the exchange no other poll may redeem the code: the server would
        // take this one for a replay, and end the grant.
        let _one_at_a_time = self.redeeming.lock().await;
        if self.authority.forgive_polling(device_code).await? {
            return Err(invalid);
        }
        let asked = grant(DEVICE_CODE, client)
            .set_some("client_secret", client.exposed_secret())
            .set("device_code", device_code);
        let granted = self.granted(asked, invalid).await?;
        Ok(with_scope(user_token(&granted), &granted))
    }

    /// `invalid` is what the grant's own fault is called.
    async fn granted(&self, asked: Params, invalid: Refusal) -> Result<TokenResponse, Refusal> {
        let refused = |error: OAuthError| match error.code() {
            ErrorCode::InvalidClient => {
                Refusal::new(StatusCode::FORBIDDEN, "invalid client secret")
            }
            ErrorCode::AuthorizationPending | ErrorCode::SlowDown => {
                Refusal::bad("authorization_pending")
            }
            ErrorCode::UnauthorizedClient => MISSING_SECRET,
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Refusal::SERVER_FAULT,
            _ => invalid,
        };
        self.authority.token(asked).await.map_err(refused)
    }
}

fn grant(grant_type: &str, client: &Client) -> Params {
    Params::default()
        .set("grant_type", grant_type)
        .set("client_id", &client.client_id)
}

fn user_token(granted: &TokenResponse) -> Value {
    let mut body = json!({
        "access_token": granted.access_token(),
        "expires_in": granted.expires_in(),
        "token_type": "bearer",
    });
    if let Some(refresh_token) = granted.refresh_token() {
        body["refresh_token"] = refresh_token.into();
    }
    body
}

/// Scopes are a list; of a token without any, the member is missing.
fn with_scope(mut body: Value, granted: &TokenResponse) -> Value {
    if !granted.scope().is_empty() {
        body["scope"] = granted.scope().iter().collect();
    }
    body
}
