//! Twitch, bound to its emulator.

mod answers;
mod device;
mod endpoints;
mod expect;
mod helix;
mod rate_limit;
mod redirect;
mod refresh;
mod refusals;
mod renewal;
mod requests;
mod validation;

use std::sync::Arc;

use ::twitch::{Client, ClientBuilder};
use async_trait::async_trait;
use oauth_conformance::{Case, Context, Counterpart, Credentials, Failure, Need, Target};
use oauth_core::{Error, Provider, Scopes, TokenSet};
use oauth_emulators::Emulator;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Twitch;

#[async_trait]
impl Target for Twitch {
    fn name(&self) -> &str {
        "twitch"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        Ok(Arc::new(::twitch::Twitch::at(base_url)?))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("demo", "demo-secret")
            .with_public_client("pub")
            .with_scopes(Scopes::parse("chat:edit chat:read").unwrap_or_default())
            .with_redirect_uri("http://127.0.0.1:3000/callback")
    }

    fn lacks(&self) -> Vec<Need> {
        vec![
            Need::StandardErrors,
            Need::StandardTokenType,
            Need::ClientAuthenticationMethods,
            Need::Server,
        ]
    }

    fn token_answer(&self, access_token: &str) -> Value {
        json!({
            "access_token": access_token, "token_type": "bearer", "expires_in": 3600,
            "scope": ["chat:edit", "chat:read"],
        })
    }

    fn refusal(&self, code: &str) -> Option<(u16, String)> {
        let (status, message) = match code {
            "invalid_grant" => (400, "Invalid refresh token"),
            "invalid_client" => (403, "invalid client secret"),
            "invalid_scope" => (400, "invalid scope requested"),
            "authorization_pending" => (400, "authorization_pending"),
            _ => return None,
        };
        Some((
            status,
            json!({"status": status, "message": message}).to_string(),
        ))
    }

    async fn start(&self) -> Result<Counterpart, String> {
        super::start(Emulator::twitch()).await
    }

    fn cases(&self) -> Vec<Case> {
        [
            answers::CASES,
            device::CASES,
            endpoints::CASES,
            helix::CASES,
            rate_limit::CASES,
            redirect::CASES,
            refresh::CASES,
            refusals::CASES,
            renewal::CASES,
            requests::CASES,
            validation::CASES,
        ]
        .concat()
    }
}

/// The crate's own client as most cases use it: that of the application with a secret.
fn confidential(cx: &Context, base_url: &str) -> Result<Client, Failure> {
    let credentials = cx.credentials();
    let builder = builder(cx, base_url, &credentials.client_id)?;
    Ok(builder.client_secret(credentials.client_secret).build()?)
}

/// That of the application without a secret.
fn public(cx: &Context, base_url: &str) -> Result<Client, Failure> {
    let id = cx.credentials().public_client_id;
    let id = id.ok_or_else(|| Failure::new("the target names no public client"))?;
    Ok(builder(cx, base_url, &id)?.build()?)
}

/// One before it is built, with the case's clock.
fn builder(cx: &Context, base_url: &str, client_id: &str) -> Result<ClientBuilder, Failure> {
    let twitch = ::twitch::Twitch::at(base_url)?;
    Ok(Client::builder_for(twitch, client_id)
        .transport(cx.recorded_transport())
        .clock(Arc::new(cx.clock().clone())))
}

/// A user's tokens from the counterpart, by the code flow.
async fn tokens_by_code(
    cx: &Context,
    counterpart: &Counterpart,
    client: &Client,
) -> Result<TokenSet, Failure> {
    let credentials = cx.credentials();
    let uri = credentials.redirect_uri;
    let options = json!({
        "client_id": client.client_id(), "redirect_uri": uri, "scope": credentials.scopes.to_string(),
    });
    let code = counterpart.control().code(options).await?;
    Ok(client.token_get_from_code(code, &uri).await?)
}

/// A user's tokens from the counterpart, by the device flow.
async fn tokens_by_device(
    cx: &Context,
    counterpart: &Counterpart,
    client: &Client,
) -> Result<TokenSet, Failure> {
    let device = client.device_code(&cx.credentials().scopes).await?;
    let control = counterpart.control();
    control.device(device.user_code(), "approve").await?;
    Ok(client.device_token(&device).await?)
}
