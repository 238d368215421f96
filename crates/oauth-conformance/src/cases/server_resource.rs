//! E12: a resource of the server, its userinfo endpoint, and the access tokens it takes.

use serde_json::json;

use super::server::{CHALLENGE, Tested, granted, member};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SRS-01" [Counterpart, Server] => no_credentials,
    "SRS-02" [Counterpart, Server] => dead_tokens,
    "SRS-03" [Counterpart, Server] => too_little_scope,
    "SRS-04" [Counterpart, Server] => places,
    "SRS-05" [Counterpart, Server] => other_audience,
};

async fn ask(tested: &Tested, authorization: &str) -> Result<Answer, Failure> {
    let headers = [("Authorization", authorization)];
    wire::request(
        tested.base_url(),
        "GET",
        &tested.set().userinfo,
        &headers,
        b"",
    )
    .await
}

/// A person's token with this scope, for the known resource or for any.
async fn token(tested: &Tested, scope: &str, resource: bool) -> Result<String, Failure> {
    let set = tested.set();
    let mut wanted = json!({
        "client_id": set.confidential.id, "redirect_uri": set.redirect_uri, "scope": scope,
        "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    });
    if resource {
        wanted["resource"] = set.resource.as_str().into();
    }
    let code = tested.control().code(wanted).await?;
    let answer = tested.redeem(&set.confidential, &code).await?;
    Ok(member(&granted("a good code", &answer)?, "access_token")?.to_owned())
}

fn challenged(what: &str, answer: &Answer, status: u16, error: &str) -> Outcome {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let right =
        challenge.starts_with("Bearer") && challenge.contains(&format!("error=\"{error}\""));
    ensure!(
        answer.status() == status && right,
        "sent {what}, expected {status} and a Bearer challenge with {error}, got {} {challenge:?}",
        answer.status()
    );
    Ok(())
}

async fn no_credentials(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let path = &tested.set().userinfo;
    let answer = wire::request(tested.base_url(), "GET", path, &[], b"").await?;
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let right = challenge.starts_with("Bearer") && !challenge.contains("error");
    ensure!(
        answer.status() == 401 && right,
        "sent nothing, expected 401 and a Bearer challenge without an error, got {} {challenge:?}",
        answer.status()
    );
    Ok(())
}

async fn dead_tokens(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let (revoked, expired) = (
        token(&tested, "openid", false).await?,
        token(&tested, "openid", false).await?,
    );
    granted(
        "a living token",
        &ask(&tested, &format!("Bearer {revoked}")).await?,
    )?;
    tested.revoke(&tested.set().confidential, &revoked).await?;
    for (what, token) in [
        ("an unknown token", "unknown"),
        ("a revoked token", &revoked),
    ] {
        let answer = ask(&tested, &format!("Bearer {token}")).await?;
        challenged(what, &answer, 401, "invalid_token")?;
    }
    tested.control().advance(366 * 86_400).await?;
    let answer = ask(&tested, &format!("Bearer {expired}")).await?;
    challenged("an expired token", &answer, 401, "invalid_token")
}

async fn too_little_scope(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let read = token(&tested, "read", false).await?;
    let answer = ask(&tested, &format!("Bearer {read}")).await?;
    challenged("a token without openid", &answer, 403, "insufficient_scope")
}

async fn places(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let token = token(&tested, "openid", false).await?;
    for good in ["bearer ", "BEARER ", "Bearer   "] {
        let answer = ask(&tested, &format!("{good}{token}")).await?;
        granted(&format!("the scheme {good:?}"), &answer)?;
    }
    let path = &tested.set().userinfo;
    let (query, body) = (
        format!("{path}?access_token={token}"),
        format!("access_token={token}"),
    );
    let header = format!("Bearer {token}");
    let header = ("Authorization", header.as_str());
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (what, method, path, headers, body) in [
        ("a token in the query", "GET", &query, vec![], ""),
        (
            "a token in query and header",
            "GET",
            &query,
            vec![header],
            "",
        ),
        (
            "a token in body and header",
            "POST",
            path,
            vec![header, form],
            body.as_str(),
        ),
    ] {
        let body = body.as_bytes();
        let answer = wire::request(tested.base_url(), method, path, &headers, body).await?;
        ensure!(
            answer.status() == 400 && answer.text().contains("invalid_request"),
            "sent {what}, expected 400 invalid_request, got {}",
            answer.status()
        );
    }
    Ok(())
}

async fn other_audience(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let limited = token(&tested, "openid", true).await?;
    let answer = ask(&tested, &format!("Bearer {limited}")).await?;
    challenged(
        "a token for another resource",
        &answer,
        401,
        "invalid_token",
    )
}
