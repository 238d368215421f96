//! Moov, bound to its emulator.

mod refusals;
mod requests;
mod revocation;
mod tokens;

use std::sync::Arc;

use ::moov::{Client, ClientBuilder, TokenSet};
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header};
use oauth_conformance::{Case, Context, Counterpart, Credentials, Failure, Need, Target, wire};
use oauth_core::{AccessToken, Error, Provider, Scopes};
use oauth_emulators::Emulator;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Moov;

/// An origin that the emulator's key pair lists.
const ORIGIN: &str = "https://example.com";

#[async_trait]
impl Target for Moov {
    fn name(&self) -> &str {
        "moov"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        Ok(Arc::new(::moov::Moov::at(base_url)?.with_origin(ORIGIN)?))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("demo", "demo-secret")
            .with_scopes(Scopes::parse("/accounts.read /accounts.write").unwrap_or_default())
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::StandardExpiry, Need::FormRequests, Need::Server]
    }

    fn token_answer(&self, access_token: &str) -> Value {
        json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": "refresh", "scope": "/accounts.read /accounts.write",
        })
    }

    fn refusal(&self, code: &str) -> Option<(u16, String)> {
        match code {
            "invalid_grant" => Some((422, json!({"refresh_token": "is not valid"}).to_string())),
            "invalid_scope" => Some((422, json!({"scope": "is not valid"}).to_string())),
            code => Some((400, json!({ "error": code }).to_string())),
        }
    }

    async fn start(&self) -> Result<Counterpart, String> {
        super::start(Emulator::moov()).await
    }

    fn cases(&self) -> Vec<Case> {
        [
            requests::CASES,
            tokens::CASES,
            refusals::CASES,
            revocation::CASES,
        ]
        .concat()
    }
}

/// The crate's own client as the cases use it.
fn client(cx: &Context, base_url: &str) -> Result<Client, Failure> {
    builder(cx, base_url).origin(ORIGIN).build().map_err(failed)
}

/// The same before it is built, without an origin.
fn builder(cx: &Context, base_url: &str) -> ClientBuilder {
    let credentials = cx.credentials();
    Client::builder(credentials.client_id, credentials.client_secret)
        .base_url(base_url)
        .transport(cx.recorded_transport())
        .clock(Arc::new(cx.clock().clone()))
}

/// What that client makes of a client credentials request.
async fn ask(
    cx: &Context,
    base_url: &str,
    scopes: impl Into<Scopes>,
) -> Result<Result<TokenSet, ::moov::Error>, Failure> {
    Ok(client(cx, base_url)?.client_credentials(scopes).await)
}

/// The status of an API call, made as an application makes it: with headers of its own, which the
/// client's must replace.
async fn get(
    client: &Client,
    token: &AccessToken,
    base_url: &str,
    path: &str,
) -> Result<u16, Failure> {
    let stale = HeaderValue::from_static("https://stale.example");
    let mut headers = HeaderMap::new();
    headers.insert(header::ORIGIN, stale.clone());
    headers.insert(header::REFERER, stale);
    client.authorize(token, &mut headers).map_err(failed)?;
    let headers: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let answer = wire::request(base_url, "GET", path, &headers, b"").await?;
    Ok(answer.status())
}

fn failed(error: ::moov::Error) -> Failure {
    oauth_core::Error::from(error).into()
}

/// The error of a call that must not succeed; `sent` says what it was.
fn refused<T>(sent: &str, result: Result<T, ::moov::Error>) -> Result<::moov::Error, Failure> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(Failure::new(format!(
            "{sent}: expected an error, got success"
        ))),
    }
}
