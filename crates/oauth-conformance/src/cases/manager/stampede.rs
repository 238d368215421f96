//! C1: the stampede, against a server that behaves as the provider.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use oauth_core::{
    Capability::{AuthorizationCode, Pkce, RefreshToken as Refresh},
    Client, Error, Scopes, Token, TokenManager, TokenSet,
    grant::{self, ClientCredentials},
    manager::ManagedToken,
    store::Subject,
};
use serde_json::json;

use super::clock::StillClock;
use crate::{
    Case, Context, Counterpart, Failure,
    Need::{Can, Counterpart as Started},
    Outcome, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REF-31" [Can(Refresh), Started] => a_hundred_times,
};

const RUNS: usize = 100;
const TASKS: usize = 100;
const CALLERS_EACH: usize = 100;

/// A login is good for this many: refresh tokens end as well.
const LOGIN: usize = 25;

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn a_hundred_times(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let clock = StillClock::new(cx.clock());
    let builder = cx.builder(counterpart.base_url())?;
    let client = builder.clock(Arc::new(clock.clone())).build()?;
    let tokens = TokenManager::new(client.clone());
    let user = Subject::user("demo");
    let control = counterpart.control();
    clock.set(SystemTime::UNIX_EPOCH + Duration::from_secs(control.now().await?));
    let mut current = None;
    for run in 0..RUNS {
        if run % LOGIN == 0 {
            let token = session(&cx, &counterpart, &client).await?;
            current = Some(tokens.register(&user, token).await?);
            control.forget_requests().await?;
        }
        let before = current.ok_or_else(|| Failure::new("nobody called"))?;
        let end = before
            .expires_at()
            .ok_or_else(|| Failure::new("a token without an end"))?;
        let life = end.duration_since(cx.now()).unwrap_or_default();
        clock.advance(life);
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        control.advance(seconds).await?;
        let waiting: Vec<_> = (0..TASKS).map(|_| callers(&tokens, &user)).collect();
        let mut new: Option<ManagedToken> = None;
        for task in waiting {
            for got in task.await.map_err(|_| Failure::new("a task panicked"))?? {
                let first = new.get_or_insert_with(|| got.clone());
                ensure!(
                    got.expose_secret() == first.expose_secret()
                        && got.expose_secret() != before.expose_secret(),
                    "run {run}: expected one new token for all callers, got another"
                );
            }
        }
        let came = control.requests().await?.len();
        ensure!(
            came == 1,
            "run {run}: {} callers, expected 1 request, got {came}",
            TASKS * CALLERS_EACH
        );
        control.forget_requests().await?;
        current = new;
    }
    Ok(())
}

fn callers(
    tokens: &TokenManager,
    user: &Subject,
) -> tokio::task::JoinHandle<Result<Vec<ManagedToken>, Error>> {
    let (tokens, user) = (tokens.clone(), user.clone());
    tokio::spawn(async move {
        let mut calls: Vec<_> = (0..CALLERS_EACH)
            .map(|_| Box::pin(tokens.get(&user, None)))
            .collect();
        let mut got = Vec::with_capacity(calls.len());
        // All of them at once: cheaper than a task for each, and as impatient.
        poll_fn(|context| {
            calls.retain_mut(|call| match call.as_mut().poll(context) {
                Poll::Ready(result) => {
                    got.push(result);
                    false
                }
                Poll::Pending => true,
            });
            if calls.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        got.into_iter().collect()
    })
}

/// Tokens with a refresh token, however the provider gives them out.
async fn session(
    cx: &Context,
    counterpart: &Counterpart,
    client: &Client,
) -> Result<TokenSet, Failure> {
    let scopes = cx.credentials().scopes;
    let capabilities = client.provider().capabilities();
    if !capabilities.contains(AuthorizationCode) {
        let grant = ClientCredentials::new().with_scopes(scopes);
        return Ok(client.exchange(&grant).await?);
    }
    let token = by_code(cx, counterpart, client, &scopes).await?;
    if token.refresh_token().is_some() {
        return Ok(token);
    }
    // OpenID Connect Core §11.
    let scopes = Scopes::new(scopes.iter().chain(["offline_access"]))?;
    by_code(cx, counterpart, client, &scopes).await
}

async fn by_code(
    cx: &Context,
    counterpart: &Counterpart,
    client: &Client,
    scopes: &Scopes,
) -> Result<TokenSet, Failure> {
    let uri = cx.credentials().redirect_uri;
    let mut options = json!({
        "client_id": client.client_id(), "redirect_uri": uri, "scope": scopes.to_string(),
    });
    let pkce = client.provider().capabilities().contains(Pkce);
    if pkce {
        options["code_challenge"] = json!(CHALLENGE);
        options["code_challenge_method"] = json!("S256");
    }
    let code = counterpart.control().code(options).await?;
    let mut grant = grant::AuthorizationCode::new(code)
        .with_redirect_uri(uri)
        .with_requested_scopes(scopes.clone());
    if pkce {
        grant = grant.with_code_verifier(VERIFIER);
    }
    Ok(client.exchange(&grant).await?)
}
