//! `GET /oauth2/authorize`: the person is there already, and says yes at once.

use bytes::Bytes;
use http::{Request, Response};
use oauth_server::Scope;

use super::{Refusal, Twitch};
use crate::Client;
use crate::authority::{CodeRequest, USER};
use crate::params::Params;
use crate::reply;

impl Twitch {
    pub(super) async fn authorize(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let query = Params::query(request);
        let client = self.known_client(&query)?;
        let redirect_uri = match registered(&client, &query)? {
            Ok(redirect_uri) => redirect_uri,
            Err(first) => {
                let told = error(
                    "redirect_mismatch",
                    "Parameter redirect_uri does not match registered URI",
                );
                return Ok(reply::redirect(&in_query(first, &told, &query)));
            }
        };
        // Told in the query even where the tokens would have been in the fragment.
        if self.switches.says_no(&query) {
            let told = error("access_denied", "The user denied you access");
            return Ok(reply::redirect(&in_query(redirect_uri, &told, &query)));
        }
        let location = match query.get("response_type") {
            Some("code") => self.code_location(&client, redirect_uri, &query).await?,
            Some("token") => self.token_location(&client, redirect_uri, &query).await?,
            _ => {
                let told = error("unsupported_response_type", "Invalid response type");
                in_query(redirect_uri, &told, &query)
            }
        };
        Ok(reply::redirect(&location))
    }

    async fn code_location(
        &self,
        client: &Client,
        redirect_uri: &str,
        query: &Params,
    ) -> Result<String, Refusal> {
        // A code challenge is passed over: there is no PKCE.
        let wanted = CodeRequest {
            client_id: &client.client_id,
            redirect_uri,
            scope: query.get("scope"),
            code_challenge: None,
            code_challenge_method: None,
            username: USER,
            ..CodeRequest::default()
        };
        match self.authority.mint_code(&wanted).await {
            Ok(code) => {
                let answer = Params::default()
                    .set("code", &code)
                    .set("scope", query.get("scope").unwrap_or_default());
                Ok(in_query(redirect_uri, &answer, query))
            }
            Err(refused) => {
                let told = error(refused.error(), refused.error_description());
                Ok(in_query(redirect_uri, &told, query))
            }
        }
    }

    async fn token_location(
        &self,
        client: &Client,
        redirect_uri: &str,
        query: &Params,
    ) -> Result<String, Refusal> {
        let scope = query.get("scope").unwrap_or_default();
        let parsed = Scope::parse(scope).map_err(|_| Refusal::bad("invalid scope requested"))?;
        let granted = self.authority.mint_token(&client.client_id, &parsed).await;
        let granted = granted.map_err(|_| Refusal::bad("invalid client"))?;
        let answer = Params::default()
            .set("access_token", granted.access_token())
            .set("scope", scope)
            .set_some("state", query.get("state"))
            .set("token_type", "bearer");
        Ok(format!("{redirect_uri}#{}", answer.encode()))
    }
}

/// The asked redirect URI if it is registered byte for byte, else the first that is.
fn registered<'c>(client: &'c Client, query: &Params) -> Result<Result<&'c str, &'c str>, Refusal> {
    let uris = client.redirect_uris();
    let first = uris.first().ok_or(Refusal::bad("invalid client"))?;
    let asked = uris
        .iter()
        .find(|uri| query.get("redirect_uri") == Some(uri.as_str()));
    Ok(asked.map(String::as_str).ok_or(first.as_str()))
}

fn error(code: &str, description: &str) -> Params {
    Params::default()
        .set("error", code)
        .set("error_description", description)
}

fn in_query(redirect_uri: &str, answer: &Params, asked: &Params) -> String {
    let answer = answer.clone().set_some("state", asked.get("state"));
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{separator}{}", answer.encode())
}
