//! Token exchanges by client credentials, 32 at a time over kept-alive connections.

use std::time::Duration;

use http::Response;
use oauth_core::{Token, grant::ClientCredentials};
use oauth2::{
    ClientId, ClientSecret, HttpRequest, HttpResponse, Scope, TokenResponse, TokenUrl,
    basic::BasicClient,
};
use reqwest::{Client, ClientBuilder, redirect::Policy};
use serde::Deserialize;

use crate::{
    contest::{Contestant, Effort, interleave},
    endpoint::Endpoint,
    libraries::client,
    throughput::{contestant, runtime},
};

pub fn run(effort: Effort) {
    let endpoint = Endpoint::start();
    let exchanges = 4_000;
    let contestants = vec![
        raw("raw reqwest + serde_json", &endpoint, exchanges, None),
        raw(
            "raw reqwest + serde_json, with a time limit",
            &endpoint,
            exchanges,
            Some(Duration::from_secs(30)),
        ),
        of_oauth2(&endpoint, exchanges),
        ours(&endpoint, exchanges),
    ];
    let figures = [("token exchange, 32 at a time", "k/s")];
    interleave(&figures, effort.pick(75, 5), contestants);
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

/// What a user would write who needs one token once. Without a time limit it may hang for ever;
/// keeping one costs something, so both are measured.
fn raw(
    who: &'static str,
    endpoint: &Endpoint,
    exchanges: usize,
    limit: Option<Duration>,
) -> Contestant {
    let mut builder = builder();
    if let Some(limit) = limit {
        builder = builder.timeout(limit);
    }
    let (client, url) = (builder.build().expect("a client"), endpoint.token_url());
    contestant(who, runtime(), exchanges, move || {
        let request = client
            .post(&url)
            .basic_auth("client", Some("secret"))
            .form(&[("grant_type", "client_credentials"), ("scope", "read")]);
        async move {
            let response = request.send().await.expect("an answer");
            let body = response.bytes().await.expect("a body");
            let answer: Answer = serde_json::from_slice(&body).expect("JSON");
            assert_eq!((answer.access_token.len(), answer.expires_in), (30, 3_600));
        }
    })
}

fn of_oauth2(endpoint: &Endpoint, exchanges: usize) -> Contestant {
    let http = builder().build().expect("a client");
    let oauth = BasicClient::new(ClientId::new("client".to_owned()))
        .set_client_secret(ClientSecret::new("secret".to_owned()))
        .set_token_uri(TokenUrl::new(endpoint.token_url()).expect("a URL"));
    contestant(
        "oauth2 exchange_client_credentials",
        runtime(),
        exchanges,
        move || {
            let (oauth, http) = (oauth.clone(), http.clone());
            async move {
                let send = |request| send(http.clone(), request);
                let answer = oauth
                    .exchange_client_credentials()
                    .add_scope(Scope::new("read".to_owned()))
                    .request_async(&send)
                    .await
                    .expect("a token");
                assert_eq!(answer.access_token().secret().len(), 30);
            }
        },
    )
}

/// What oauth2's own adapter does, for the reqwest that the others use too.
async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let request = request.try_into()?;
    let mut answer = client.execute(request).await?;
    let mut response = Response::new(Vec::new());
    *response.status_mut() = answer.status();
    std::mem::swap(response.headers_mut(), answer.headers_mut());
    *response.body_mut() = answer.bytes().await?.into();
    Ok(response)
}

fn ours(endpoint: &Endpoint, exchanges: usize) -> Contestant {
    let client = client(endpoint);
    let grant = ClientCredentials::new().with_scopes("read".parse().expect("a scope"));
    contestant("oauth-core exchange", runtime(), exchanges, move || {
        let (client, grant) = (client.clone(), grant.clone());
        async move {
            let token = client.exchange(&grant).await.expect("a token");
            assert!(token.expires_at().is_some());
        }
    })
}

/// As every OAuth client must be: one that follows no redirect.
fn builder() -> ClientBuilder {
    Client::builder().redirect(Policy::none())
}
