//! Nonces that a server wants to see in proofs (RFC 9449 §8, §9).

use oauth_core::{
    AccessToken, Call, EndpointKind, Error, ErrorCode, ErrorKind, Replay, RetryPolicy, TokenSet,
    TokenType, grant::AuthorizationCode,
};
use serde_json::Value;

use super::{ask, bound, bound_reply, jti, proof_in};
use crate::{
    Context, Failure, Outcome, Reply, ScriptedServer,
    cases::{expect, jwt},
    ensure,
};

fn challenge(cx: &Context, nonce: &str) -> Result<Reply, Failure> {
    Ok(cx.refusal("use_dpop_nonce")?.header("DPoP-Nonce", nonce))
}

/// The nonces in the proofs that came, in order; null where there is none.
fn nonces(server: &ScriptedServer) -> Result<Vec<Value>, Failure> {
    server
        .received()
        .iter()
        .map(|request| Ok(proof_in(request)?.claims["nonce"].clone()))
        .collect()
}

fn ensure_nonces(server: &ScriptedServer, expected: &[Option<&str>], sent: &str) -> Outcome {
    let got = nonces(server)?;
    let expected: Vec<Value> = expected.iter().map(|nonce| (*nonce).into()).collect();
    ensure!(
        got == expected,
        "sent {sent}, expected the nonces {expected:?}, got {got:?}"
    );
    Ok(())
}

fn ensure_challenged(result: &Result<TokenSet, Error>, sent: &str) -> Outcome {
    let code = result.as_ref().err().and_then(Error::code);
    ensure!(
        code == Some(&ErrorCode::UseDpopNonce),
        "sent {sent}, expected use_dpop_nonce, got {code:?}"
    );
    Ok(())
}

pub(super) async fn used_once_more(cx: Context) -> Outcome {
    // Once more with the nonce; then the newest one, whatever answer it came with.
    let server = cx
        .scripted([
            challenge(&cx, "first")?,
            bound_reply(&cx).header("DPoP-Nonce", "second"),
            bound_reply(&cx),
        ])
        .await?;
    let client = bound(&cx, server.base_url())?.build()?;
    ask(&client).await?;
    ask(&client).await?;
    ensure_nonces(
        &server,
        &[None, Some("first"), Some("second")],
        "a nonce twice",
    )?;

    // Even a code: the server did nothing but name its nonce.
    let server = cx
        .scripted([challenge(&cx, "n")?, bound_reply(&cx)])
        .await?;
    let code_client = bound(&cx, server.base_url())?.build()?;
    code_client
        .exchange(&AuthorizationCode::new("a-code"))
        .await?;
    ensure_nonces(&server, &[None, Some("n")], "a nonce to a code")?;

    // No nonce, no second try, also for a client that tries often.
    for refusal in [cx.refusal("use_dpop_nonce")?, challenge(&cx, "")?] {
        let server = cx.scripted([refusal]).await?;
        let client = bound(&cx, server.base_url())?
            .retry(RetryPolicy::default())
            .build()?;
        ensure_challenged(&ask(&client).await, "use_dpop_nonce without a nonce")?;
        ensure_nonces(&server, &[None], "use_dpop_nonce without a nonce")?;
    }
    // The second refusal is final.
    let server = cx
        .scripted([challenge(&cx, "a")?, challenge(&cx, "b")?])
        .await?;
    let client = bound(&cx, server.base_url())?
        .retry(RetryPolicy::default())
        .build()?;
    ensure_challenged(&ask(&client).await, "two refusals")?;
    ensure_nonces(&server, &[None, Some("a")], "two refusals")?;

    // A server's nonce is for that server.
    let api = cx
        .scripted([
            Reply::new(401)
                .header(
                    "WWW-Authenticate",
                    "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"",
                )
                .header("DPoP-Nonce", "of-the-api"),
            Reply::new(200),
        ])
        .await?;
    let mut request = http::Request::get(format!("{}/x", api.base_url()))
        .body(bytes::Bytes::new())
        .map_err(|_| Failure::new("the suite's own request is none"))?;
    let token = TokenSet::new(AccessToken::new("t")?, cx.now()).with_token_type(TokenType::Dpop);
    client.authorize(&token, &mut request)?;
    let call = Call::new(EndpointKind::Other("x"), Replay::Never);
    client.send(request, call).await?;
    ensure_nonces(&api, &[None, Some("of-the-api")], "a nonce at a resource")?;
    ask(&client).await.err();
    let last = proof_in(&server.last()?)?.claims["nonce"].clone();
    ensure!(
        last == "b",
        "asked the first server again, expected its own nonce, got {last}"
    );

    // For answers that another HTTP client got.
    let mut headers = http::HeaderMap::new();
    headers.insert("dpop-nonce", http::HeaderValue::from_static("handed-over"));
    let known = client.remember_dpop_nonce("https://api.example.com/a", &headers);
    let proof = client.dpop_proof(&http::Method::GET, "https://api.example.com/b", None)?;
    let proof = jwt::open(proof.to_str().unwrap_or_default(), &jwt::ec()?.1)?;
    ensure!(
        known && proof.claims["nonce"] == "handed-over",
        "handed a nonce over, expected it in the next proof, got {}",
        proof.claims
    );
    Ok(())
}

pub(super) async fn with_an_assertion(cx: Context) -> Outcome {
    let server = cx
        .scripted([challenge(&cx, "n")?, bound_reply(&cx)])
        .await?;
    let (key, public) = jwt::rsa()?;
    let provider = cx.target().provider(server.base_url())?;
    let client = cx
        .builder_for(provider, &cx.credentials().client_id)
        .client_key(key)
        .dpop(jwt::ec()?.0)
        .build()?;
    ask(&client).await?;
    ensure_nonces(&server, &[None, Some("n")], "a nonce")?;
    let mut seen = std::collections::HashSet::new();
    for request in server.received() {
        let assertion = request.param("client_assertion").unwrap_or_default();
        seen.insert(jwt::open(&assertion, &public)?.claims["jti"].to_string());
        seen.insert(jti(&proof_in(&request)?));
    }
    ensure!(
        seen.len() == 4,
        "sent a nonce, expected a new assertion and a new proof, got {} different jti",
        seen.len()
    );
    Ok(())
}

pub(super) async fn of_odd_characters(cx: Context) -> Outcome {
    let longest = "n".repeat(1024);
    for good in ["!#[]~", longest.as_str()] {
        let server = cx
            .scripted([challenge(&cx, good)?, bound_reply(&cx)])
            .await?;
        ask(&bound(&cx, server.base_url())?.build()?).await?;
        ensure_nonces(&server, &[None, Some(good)], good)?;
    }
    let longer = "n".repeat(1025);
    for bad in [
        "a b",
        "a\"b",
        "a\\b",
        "a\tb",
        "\u{e4}",
        "a,b c",
        longer.as_str(),
    ] {
        let server = cx
            .scripted([challenge(&cx, bad)?, bound_reply(&cx)])
            .await?;
        let client = bound(&cx, server.base_url())?.build()?;
        ensure_challenged(&ask(&client).await, bad)?;
        ensure_nonces(&server, &[None], bad)?;
        ask(&client).await?;
        ensure_nonces(&server, &[None, None], bad)?;
    }
    // Which of two would count is a guess.
    let twice = challenge(&cx, "a")?.header("DPoP-Nonce", "b");
    let server = cx.scripted([twice]).await?;
    ensure_challenged(
        &ask(&bound(&cx, server.base_url())?.build()?).await,
        "two nonces",
    )?;
    ensure_nonces(&server, &[None], "two nonces")
}

pub(super) async fn without_a_key(cx: Context) -> Outcome {
    for nonce in [Some("a-nonce"), None, Some("not a nonce")] {
        let refusal = match nonce {
            Some(nonce) => challenge(&cx, nonce)?,
            None => cx.refusal("use_dpop_nonce")?,
        };
        let sent = format!("use_dpop_nonce with the nonce {nonce:?}");
        let server = cx.scripted([refusal]).await?;
        let client = cx
            .builder(server.base_url())?
            .retry(RetryPolicy::default())
            .build()?;
        let result = ask(&client).await;
        ensure_challenged(&result, &sent)?;
        let Err(error) = result else { return Ok(()) };
        expect::is(&error, ErrorKind::OAuth, &sent)?;
        let handed = error
            .oauth_error()
            .and_then(|error| error.extra().get("dpop_nonce"));
        let expected = nonce.filter(|nonce| !nonce.contains(' '));
        ensure!(
            handed.and_then(Value::as_str) == expected,
            "sent {sent}, expected {expected:?} to be handed on, got {handed:?}"
        );
        let count = server.received().len();
        ensure!(count == 1, "sent {sent}, expected one request, got {count}");
    }
    Ok(())
}
