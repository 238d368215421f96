//! C1 and D1: API calls that carry a token.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Waking, Poll},
};

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    manager::TokenHandle,
    middleware::{Authorize, AuthorizeLayer},
    store::Subject,
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use super::setting::{Setting, ended, fails, gives};
use crate::{
    Case, Context, Failure, Need::Can, Outcome, Received, Reply, ScriptedServer, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REF-25" [Can(Refresh)] => many_rejections,
    "TM-34" [Can(Refresh)] => only_where_it_belongs,
    "TM-35" [Can(ClientCredentials)] => the_scheme,
};

fn with(authorize: Authorize) -> Result<ClientWithMiddleware, Failure> {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| Failure::new(format!("no HTTP client: {error}")))?;
    Ok(ClientBuilder::new(client).with(authorize).build())
}

async fn call(
    client: &ClientWithMiddleware,
    url: &str,
    own: Option<&'static str>,
) -> Result<StatusCode, Failure> {
    let mut request = client.get(url);
    if let Some(own) = own {
        request = request.header(AUTHORIZATION, own);
    }
    let answer = request.send().await;
    let answer = answer.map_err(|error| Failure::new(format!("an API call: {error:?}")))?;
    Ok(answer.status())
}

/// The `Authorization` headers that came, in order.
fn seen(server: &ScriptedServer) -> Vec<String> {
    let header = |request: &Received| request.header("authorization").unwrap_or("-").to_owned();
    server.received().iter().map(header).collect()
}

fn came(server: &ScriptedServer, expected: &[&str], did: &str) -> Outcome {
    let got = seen(server);
    ensure!(
        got == expected,
        "{did}: expected the headers {expected:?}, got {got:?}"
    );
    Ok(())
}

async fn many_rejections(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let api = cx.scripted([]).await?;
    api.model(|request| match request.header("authorization") {
        Some("Bearer user.a0") => Reply::new(401),
        _ => Reply::new(200),
    });
    let handle = tokens.source(&user, None);
    let client = with(Authorize::new(handle.clone(), [api.base_url()])?)?;
    // Every call is refused before the first of them can renew.
    api.hold();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (client, url) = (client.clone(), api.base_url().to_owned());
            tokio::spawn(async move { call(&client, &url, None).await })
        })
        .collect();
    api.until(50).await?;
    api.go();
    for call in calls {
        let status = ended(call).await??;
        ensure!(
            status == StatusCode::OK,
            "one of 50 calls, met 401: expected it to be sent again, got {status}"
        );
    }
    at.came(1, "50 calls, each met 401")?;
    let second = seen(&api).split_off(50);
    ensure!(
        second == vec!["Bearer user.a1"; 50],
        "50 calls, each met 401: expected each once more with the new token, got {second:?}"
    );
    // One that comes late with the old token gets the new one.
    let rejected = oauth_core::AccessToken::new("user.a0")?;
    gives(handle.renew(&rejected).await, "user.a1", "a late 401")?;
    let status = call(&client, api.base_url(), None).await?;
    at.came(1, "a late 401")?;
    ensure!(
        status == StatusCode::OK,
        "a call after that, expected the new token to do, got {status}"
    );
    Ok(())
}

pub(in crate::cases) async fn only_where_it_belongs(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let token = "Bearer user.a0";
    let authorize = |api: &ScriptedServer| {
        let handle = tokens.source(&user, None);
        Authorize::new(handle, [api.base_url()])
    };

    // Its origin, and others that look like it.
    let (api, other) = (ok(&cx).await?, ok(&cx).await?);
    let client = with(authorize(&api)?)?;
    let here = api.base_url();
    let there = other.base_url();
    call(&client, &format!("{here}/a?b=c"), None).await?;
    came(&api, &[token], "a call to the API")?;
    let lookalike = there.replace("http://", &format!("{here}@"));
    for url in [there, &format!("{there}/{here}"), &lookalike] {
        call(&client, url, None).await?;
    }
    call(&client, &here.replace("127.0.0.1", "localhost"), None).await?;
    // A user's name in a URL is an Authorization header of its own.
    let others = seen(&other);
    ensure!(
        others.len() == 3 && others.iter().all(|header| !header.contains("user.a0")),
        "calls to another origin, expected no token, got {others:?}"
    );
    came(&api, &[token, "-"], "a call to another name of the host")?;

    // Redirects: to another origin without it, within the origin with it.
    for status in [302, 307] {
        let (api, other) = (ok(&cx).await?, ok(&cx).await?);
        let to = |url: &str| Reply::new(status).header("Location", url);
        let client = with(authorize(&api)?)?;
        let moved = cx
            .scripted([to(other.base_url()), to("/elsewhere"), Reply::new(200)])
            .await?;
        let there = with(authorize(&moved)?)?;
        call(&there, moved.base_url(), None).await?;
        came(&other, &["-"], "redirected to another origin")?;
        call(&there, moved.base_url(), None).await?;
        came(&moved, &[token; 3], "redirected within the origin")?;
        drop(client);
    }

    // A caller's own header.
    let api = ok(&cx).await?;
    call(&with(authorize(&api)?)?, api.base_url(), Some("Bearer own")).await?;
    call(
        &with(authorize(&api)?.overwrite(true))?,
        api.base_url(),
        Some("Bearer own"),
    )
    .await?;
    came(&api, &["Bearer own", token], "a header of the caller's own")?;

    // No token, no call; no origin, or one in clear, no middleware.
    let nobody = tokens.source(&Subject::user("nobody"), None);
    let client = with(Authorize::new(nobody.clone(), [api.base_url()])?)?;
    let result = call(&client, api.base_url(), None).await;
    ensure!(
        result.is_err() && api.received().len() == 2,
        "no token to be had, expected no call, got {result:?}"
    );
    fails(
        Authorize::new(nobody.clone(), ["http://api.example.com"]),
        "an origin in clear",
    )?;
    fails(Authorize::new(nobody, [""; 0]), "no origin")?;
    through_tower(tokens.source(&user, None)).await
}

async fn ok(cx: &Context) -> Result<ScriptedServer, Failure> {
    cx.scripted([Reply::new(200)]).await
}

/// A service that writes down what it gets.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<HeaderMap>>>);

impl Service<http::Request<()>> for Seen {
    type Response = http::Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Waking<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<()>) -> Self::Future {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.headers().clone());
        ready(Ok(http::Response::new(())))
    }
}

async fn through_tower(handle: TokenHandle) -> Outcome {
    let seen = Seen::default();
    let authorize = Authorize::new(handle, ["https://api.example.com"])?;
    for (url, own, overwrite, expected) in [
        (
            "https://api.example.com/a",
            None,
            false,
            Some("Bearer user.a0"),
        ),
        ("https://api.example.com:444/a", None, false, None),
        ("https://api.example.com.evil.example/", None, false, None),
        (
            "https://api.example.com/a",
            Some("Bearer own"),
            false,
            Some("Bearer own"),
        ),
        (
            "https://api.example.com/a",
            Some("Bearer own"),
            true,
            Some("Bearer user.a0"),
        ),
    ] {
        let layer = AuthorizeLayer::new(authorize.clone().overwrite(overwrite));
        let mut request = http::Request::get(url)
            .body(())
            .map_err(|error| Failure::new(error.to_string()))?;
        if let Some(own) = own {
            let own = HeaderValue::from_static(own);
            request.headers_mut().insert(AUTHORIZATION, own);
        }
        let result = layer.layer(seen.clone()).call(request).await;
        result.map_err(|error| Failure::new(format!("{url}: {error}")))?;
        let seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let got = seen.last().and_then(|headers| headers.get(AUTHORIZATION));
        let got = got.and_then(|value| value.to_str().ok());
        ensure!(
            got == expected,
            "a layer of tower, {url}, own header {own:?}: expected {expected:?}, got {got:?}"
        );
    }
    Ok(())
}

async fn the_scheme(cx: Context) -> Outcome {
    let reply = |kind: &str| {
        let mut answer = cx.target().token_answer("one");
        answer["token_type"] = json!(kind);
        Reply::json(200, &answer)
    };
    for kind in ["bearer", "Bearer", "BEARER"] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        at.server.reply(reply(kind));
        let handle = tokens.source(&Subject::Client, None);
        let api = ok(&cx).await?;
        let client = with(Authorize::new(handle.clone(), [api.base_url()])?)?;
        call(&client, api.base_url(), None).await?;
        came(&api, &["Bearer one"], &format!("token_type {kind}"))?;
        let header = handle.header().await?;
        let by_token = tokens.get(&Subject::Client, None).await?.header()?;
        ensure!(
            header == "Bearer one" && by_token == header && header.is_sensitive(),
            "token_type {kind}: expected Bearer, got another"
        );
    }
    for kind in ["mac", "N_A", "Basic", "bearer2", "DPoP"] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        at.server.reply(reply(kind));
        let handle = tokens.source(&Subject::Client, None);
        let api = ok(&cx).await?;
        let client = with(Authorize::new(handle.clone(), [api.base_url()])?)?;
        let result = call(&client, api.base_url(), None).await;
        ensure!(
            result.is_err() && api.received().is_empty() && handle.try_header().is_none(),
            "token_type {kind}: expected nothing to be sent, got {result:?}"
        );
    }
    Ok(())
}
