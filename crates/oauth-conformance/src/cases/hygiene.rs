//! F1: what must not be seen of a secret.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, header};
use oauth_core::{
    AccessToken, Capability, Client, Endpoints, Error, ErrorKind, GenericProvider, Limits,
    PendingAuthorization, ServerMetadata, TokenReader, TokenSet, Transport, TransportError,
    secrecy::SecretString,
};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{expect, marks, profile};
use crate::{
    Case, Context, Failure, Need::AnyGrant, Outcome, Reply, WatchedTransport, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "HYG-05" [] => errors_of_the_http_library,
    "HYG-08" [AnyGrant] => messages_of_parsers,
    "HYG-11" [AnyGrant] => sensitive_headers,
    "QK-01" [AnyGrant] => a_hook_before_parsing,
};

const URL: &str = "MARKurl7Q2x";
const BODY: &str = "MARKbody7Q2x+/";

/// The URL with a secret of the server's in it, and what the library had read of the answer.
async fn errors_of_the_http_library(cx: Context) -> Outcome {
    let deaf = TcpSocket::new_v4()?;
    deaf.bind(([127, 0, 0, 1], 0).into())?;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let cut = format!("{head}Content-Length: 999\r\n\r\n{{\"access_token\":\"{BODY}");
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{BODY}\r\n");
    let header = format!("HTTP/1.1 200 OK\r\n{BODY}\r\n\r\n");
    let moved = Reply::new(302).header("Location", &format!("http://{URL}.invalid/{BODY}?{BODY}"));
    let mut servers = vec![(
        "a refused connection",
        format!("http://{}", deaf.local_addr()?),
        None,
    )];
    for (sent, reply) in [
        ("no answer", Reply::close()),
        ("a reset", Reply::reset()),
        ("a cut body", Reply::raw(cut)),
        ("a chunk that is none", Reply::raw(chunk)),
        ("a header that is none", Reply::raw(header)),
        ("a redirect", moved),
    ] {
        let server = cx.scripted([reply]).await?;
        servers.push((sent, server.base_url().to_owned(), Some(server)));
    }
    let own = cx.credentials();
    for (sent, base, _server) in &servers {
        let endpoints = Endpoints::new(&format!("{base}/{URL}/token?key={URL}"))?;
        let provider = Arc::new(GenericProvider::new(endpoints));
        let client = cx
            .builder_for(provider, &own.client_id)
            .client_secret(own.client_secret.clone())
            .build()?;
        let error = error_of(cx.ask(&client).await, sent)?;
        marks::unseen(&error, &[URL, BODY], sent)?;
    }
    Ok(())
}

fn error_of<T>(result: Result<T, Error>, sent: &str) -> Result<Error, Failure> {
    result
        .err()
        .ok_or_else(|| Failure::new(format!("met {sent}, expected an error, got success")))
}

/// Values of the wrong kind, which a parser would quote: at every endpoint, and in what was kept.
async fn messages_of_parsers(cx: Context) -> Outcome {
    for value in [
        json!({ BODY: BODY }),
        json!([BODY]),
        json!(BODY),
        json!({"access_token": [BODY], "device_code": [BODY], "active": BODY, "sub": [BODY], "issuer": [BODY]}),
        json!({"device_code": BODY, "user_code": BODY, "verification_uri": BODY, "expires_in": BODY}),
    ] {
        for text in [value.to_string(), format!("{value}{BODY}")] {
            for error in met(&cx, &text).await? {
                marks::unseen(&error, &[BODY], &text)?;
            }
        }
    }
    for text in [
        json!({ "access_token": { BODY: 1 } }).to_string(),
        json!({"access_token": "a", "expires_at": BODY, "issued_at": BODY}).to_string(),
        format!("{{\"access_token\":\"{BODY}"),
        BODY.to_owned(),
    ] {
        let text = SecretString::from(text);
        let token = error_of(TokenSet::from_json(&text), "a token that was not kept")?;
        let flow = PendingAuthorization::from_json(&text);
        let flow = error_of(flow, "a flow that was not kept")?;
        for error in [token, flow] {
            marks::unseen(&error, &[BODY], "what was not kept")?;
        }
    }
    Ok(())
}

/// The errors of every endpoint of the target that answers with `text`.
async fn met(cx: &Context, text: &str) -> Result<Vec<Error>, Failure> {
    let json = Reply::new(200)
        .header("Content-Type", "application/json")
        .body(text);
    let server = cx.scripted([json]).await?;
    let client = cx.client(server.base_url())?;
    let can = client.provider().capabilities();
    let mut errors = vec![error_of(cx.ask(&client).await, text)?];
    if can.contains(Capability::DeviceCode) {
        errors.extend(client.device_authorization(None).await.err());
    }
    if can.contains(Capability::Introspection) {
        errors.extend(client.introspect(&"token".into(), None).await.err());
    }
    if can.contains(Capability::UserInfo) {
        let token = AccessToken::new("token")?;
        errors.extend(client.userinfo(&token).await.err());
    }
    let transport = Arc::new(cx.transport());
    let metadata = ServerMetadata::discover(server.base_url(), transport).await;
    errors.push(error_of(metadata, text)?);
    Ok(errors)
}

/// Keeps the headers of the requests that pass.
#[derive(Debug, Clone)]
struct Kept {
    inner: WatchedTransport,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Kept {
    fn keep(&self, headers: HeaderMap) {
        let mut kept = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(headers);
    }
}

#[async_trait]
impl Transport for Kept {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.keep(request.headers().clone());
        self.inner.send(request, limits).await
    }
}

async fn sensitive_headers(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("a-token")]).await?;
    let kept = Kept {
        inner: cx.transport(),
        headers: Arc::default(),
    };
    let own = cx.credentials();
    let endpoints = Endpoints::new(&format!("{}/token", server.base_url()))?;
    let clients: [Client; 2] = [
        cx.builder(server.base_url())?,
        cx.builder_for(Arc::new(GenericProvider::new(endpoints)), &own.client_id)
            .client_secret(own.client_secret),
    ]
    .map(|builder| builder.transport(kept.clone()).build())
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?
    .try_into()
    .map_err(|_| Failure::new("two clients"))?;
    for client in &clients {
        cx.ask(client).await?;
    }
    let mut call = HeaderMap::new();
    let token = AccessToken::new("a-token")?;
    clients[0].provider().authorize_request(&token, &mut call)?;
    let mut all = kept.headers.lock().map(|kept| kept.clone());
    let mut all = all.as_mut().map(std::mem::take).unwrap_or_default();
    all.push(call);
    let values: Vec<_> = all
        .iter()
        .filter_map(|headers| headers.get(header::AUTHORIZATION))
        .collect();
    ensure!(
        values.len() >= 2,
        "expected a Basic header and one with a token, got {} of them",
        values.len()
    );
    for value in values {
        let shown = format!("{value:?}");
        ensure!(
            value.is_sensitive() && shown == "Sensitive",
            "expected an Authorization header that is marked sensitive, got one that is not"
        );
    }
    Ok(())
}

/// Answers of real servers, read by a profile without a change of the core.
async fn a_hook_before_parsing(cx: Context) -> Outcome {
    fn of_mailchimp_and_facebook(reader: TokenReader<'_>) -> TokenReader<'_> {
        reader.rewrite(|members| {
            if let Some(Value::String(seconds)) = members.remove("expires") {
                members.insert("expires_in".to_owned(), seconds.into());
            }
            if members.get("scope").is_some_and(Value::is_null) {
                members.remove("scope");
            }
            members.entry("token_type").or_insert("Bearer".into());
        })
    }
    let body = json!({"access_token": "of-a-quirk", "expires": "5183999", "scope": null});
    expect::error_of(
        &cx,
        ErrorKind::Protocol,
        &body.to_string(),
        Reply::json(200, &json!({"token": "of-a-quirk"})),
    )
    .await?;
    let server = cx.scripted([Reply::json(200, &body)]).await?;
    let client = profile::client(&cx, server.base_url(), of_mailchimp_and_facebook)?;
    let left = cx.lifetime(&cx.ask(&client).await?);
    ensure!(
        left == Some(5_183_999),
        "sent {body} to a profile that knows it, expected 5183999 s, got {left:?}"
    );
    Ok(())
}
