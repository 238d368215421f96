//! A5, third part: tokens that are bound to a key (RFC 9449).

mod nonce;

use std::collections::HashSet;

use oauth_core::{
    AccessToken, Call, Capability, Client, ClientBuilder, EndpointKind, ErrorKind, RefreshToken,
    Replay, RetryPolicy, SigningKey, Token, TokenSet, TokenType,
    grant::{self, ClientCredentials},
};
use serde_json::{Value, json};

use super::{
    expect,
    jwt::{self, Jwt},
};
use crate::{
    Case, Context, Failure,
    Need::{Can, ClientAuthenticationMethods, StandardErrors},
    Outcome, Received, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-60" [Can(Capability::Dpop)] => proof,
    "REQ-61" [Can(Capability::Dpop)] => a_proof_for_each_try,
    "REQ-62" [Can(Capability::Dpop), StandardErrors] => nonce::used_once_more,
    "REQ-63" [Can(Capability::Dpop), StandardErrors, ClientAuthenticationMethods] => nonce::with_an_assertion,
    "REQ-64" [Can(Capability::Dpop)] => unbound,
    "REQ-65" [Can(Capability::Dpop)] => at_a_resource,
    "REQ-66" [Can(Capability::Dpop), StandardErrors] => nonce::of_odd_characters,
    "RSP-62" [Can(Capability::ClientCredentials), StandardErrors] => nonce::without_a_key,
};

/// The target's client, bound to the key of RFC 7515.
fn bound(cx: &Context, base: &str) -> Result<ClientBuilder, Failure> {
    Ok(cx.builder(base)?.dpop(jwt::ec()?.0))
}

/// The target's answer with a bound token.
fn bound_reply(cx: &Context) -> Reply {
    cx.token_reply_with("token_type", json!("DPoP"))
}

/// The one proof in a request, opened with the key in its own header, which must be the client's.
fn proof_in(request: &Received) -> Result<Jwt, Failure> {
    let count = request.count("dpop");
    let text = request.header("dpop").filter(|_| count == 1);
    let text = text.ok_or_else(|| Failure::new(format!("expected one proof, got {count}")))?;
    let (_, ours) = jwt::ec()?;
    let proof = jwt::open(text, &ours)?;
    let public = json!({"kty": ours["kty"], "crv": ours["crv"], "x": ours["x"], "y": ours["y"]});
    if proof.header["jwk"] != public {
        return Err(Failure::new(
            "expected the public key in the proof's header, and nothing else of it",
        ));
    }
    Ok(proof)
}

fn jti(proof: &Jwt) -> String {
    proof.claims["jti"].as_str().unwrap_or_default().to_owned()
}

/// That a proof is for this request, made now, and has these claims beside.
fn ensure_proof(cx: &Context, proof: &Jwt, method: &str, url: &str, more: Value) -> Outcome {
    ensure!(
        proof.header["typ"] == "dpop+jwt" && proof.header["alg"] == "ES256",
        "expected typ dpop+jwt and alg ES256, got {}",
        proof.header
    );
    let mut expected =
        json!({"jti": jti(proof), "htm": method, "htu": url, "iat": jwt::seconds(cx)});
    for (name, value) in more.as_object().into_iter().flatten() {
        expected[name] = value.clone();
    }
    ensure!(
        proof.claims == expected,
        "expected the claims {expected}, got {}",
        proof.claims
    );
    // 96 bits are 16 characters of base64url.
    ensure!(
        jti(proof).len() >= 16,
        "expected a jti of 96 bits, got {:?}",
        jti(proof)
    );
    Ok(())
}

/// The token of RFC 9449 §7.1, and its hash there.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const ATH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";

async fn proof(cx: Context) -> Outcome {
    let server = cx
        .scripted([
            bound_reply(&cx).header("DPoP-Nonce", "a-nonce"),
            bound_reply(&cx),
        ])
        .await?;
    let client = bound(&cx, server.base_url())?.build()?;
    let token_endpoint = client.provider().endpoints().token().as_str().to_owned();
    for more in [json!({}), json!({"nonce": "a-nonce"})] {
        let token = cx.ask(&client).await?;
        ensure!(
            token.token_type() == TokenType::Dpop,
            "sent token_type DPoP, expected a bound token, got {:?}",
            token.token_type()
        );
        let proof = proof_in(&server.last()?)?;
        ensure_proof(&cx, &proof, "POST", &token_endpoint, more)?;
    }
    // For a request that is sent by other means; its query is no part of the proof.
    let url = "https://api.example.com:8443/a%20b?c=d";
    let token = AccessToken::new(TOKEN)?;
    let value = client.dpop_proof(&http::Method::PUT, url, Some(&token))?;
    ensure!(
        value.is_sensitive(),
        "expected a proof that HTTP libraries do not log"
    );
    let text = value.to_str().unwrap_or_default();
    let proof = jwt::open(text, &jwt::ec()?.1)?;
    ensure_proof(
        &cx,
        &proof,
        "PUT",
        "https://api.example.com:8443/a%20b",
        json!({"ath": ATH}),
    )?;

    // The code is bound, too (§10).
    if client
        .provider()
        .capabilities()
        .contains(Capability::AuthorizationCode)
    {
        let (url, _) = client
            .authorization_request(cx.credentials().redirect_uri)
            .pkce(true)
            .build()?;
        let jkt = url.query_pairs().find(|(name, _)| name == "dpop_jkt");
        let jkt = jkt.map(|(_, value)| value.into_owned());
        ensure!(
            jkt.as_deref() == Some("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"),
            "expected the key's thumbprint as dpop_jkt, got {jkt:?}"
        );
    }
    Ok(())
}

async fn a_proof_for_each_try(cx: Context) -> Outcome {
    let server = cx
        .scripted([Reply::new(503), Reply::new(503), bound_reply(&cx)])
        .await?;
    let client = bound(&cx, server.base_url())?
        .retry(RetryPolicy::default())
        .build()?;
    cx.ask(&client).await?;
    let token = cx.ask(&client).await?;
    // Requests to a resource, tried again likewise.
    let api = cx.scripted([Reply::new(503), Reply::new(200)]).await?;
    let mut request = http::Request::get(format!("{}/things", api.base_url()))
        .body(bytes::Bytes::new())
        .map_err(|_| Failure::new("the suite's own request is none"))?;
    client.authorize(&token, &mut request)?;
    client
        .send(
            request,
            Call::new(EndpointKind::Other("things"), Replay::Always),
        )
        .await?;
    let all = [server.received(), api.received()].concat();
    let mut seen = HashSet::new();
    for request in &all {
        seen.insert(jti(&proof_in(request)?));
    }
    ensure!(
        all.len() == 6 && seen.len() == 6,
        "asked three times and sent 503 three times, expected 6 requests with a jti each, got {} and {}",
        all.len(),
        seen.len()
    );
    Ok(())
}

async fn unbound(cx: Context) -> Outcome {
    let mut answer = cx.target().token_answer("conformance-access-token");
    answer["token_type"] = json!("Bearer");
    answer["refresh_token"] = json!("rotated");
    let server = cx.scripted([Reply::json(200, &answer)]).await?;
    let grant = grant::RefreshToken::new(RefreshToken::new("old")?);
    let demanding = bound(&cx, server.base_url())?.build()?;
    match demanding.exchange(&grant).await {
        Err(error) => {
            expect::is(&error, ErrorKind::Protocol, "an unbound token")?;
            let kept = error.refresh_token().map(RefreshToken::expose_secret);
            ensure!(
                kept == Some("rotated"),
                "sent a refresh token beside it, expected it not to be lost, got {}",
                kept.is_some()
            );
        }
        Ok(_) => ensure!(
            false,
            "demanded a bound token and sent Bearer, expected an error, got a token"
        ),
    }
    let lenient = cx
        .builder(server.base_url())?
        .dpop_if_supported(jwt::ec()?.0)
        .build()?;
    let token = lenient.exchange(&grant).await?;
    ensure!(
        token.token_type() == TokenType::Bearer,
        "sent Bearer, expected it to be reported, got {:?}",
        token.token_type()
    );
    let proofs = server
        .received()
        .iter()
        .map(|request| proof_in(request).map(|_| ()))
        .collect::<Result<Vec<_>, _>>()?;
    ensure!(
        proofs.len() == 2,
        "expected a proof in both requests, got {}",
        proofs.len()
    );

    // Without a proof there can be no bound token.
    let reply = bound_reply(&cx);
    expect::error_of(
        &cx,
        ErrorKind::Protocol,
        "DPoP to a client without a key",
        reply,
    )
    .await?;
    Ok(())
}

async fn at_a_resource(cx: Context) -> Outcome {
    let api = cx
        .scripted([Reply::json(200, &json!({"sub": "u"}))])
        .await?;
    let client = bound(&cx, api.base_url())?.build()?;
    let token = TokenSet::new(AccessToken::new(TOKEN)?, cx.now()).with_token_type(TokenType::Dpop);
    let url = format!("{}/things", api.base_url());
    let request = |client: &Client, token: &TokenSet| -> Result<_, Failure> {
        let mut request = http::Request::post(format!("{url}?page=2"))
            .body(bytes::Bytes::from_static(b"x"))
            .map_err(|_| Failure::new("the suite's own request is none"))?;
        Ok(client.authorize(token, &mut request).map(|()| request))
    };
    let call = || Call::new(EndpointKind::Other("things"), Replay::Never);
    client.send(request(&client, &token)??, call()).await?;
    let ensure_bound = |method: &str, htu: &str| -> Outcome {
        let received = api.last()?;
        let got = received.header("authorization");
        ensure!(
            got == Some(&format!("DPoP {TOKEN}")) && received.count("authorization") == 1,
            "sent a bound token, expected the scheme DPoP alone, got {:?}",
            got.map(|got| got.split(' ').next())
        );
        ensure_proof(&cx, &proof_in(&received)?, method, htu, json!({"ath": ATH}))
    };
    ensure_bound("POST", &url)?;
    if let Some(userinfo) = client.provider().endpoints().userinfo() {
        client.userinfo_of(&token).await?;
        ensure_bound("GET", userinfo.as_str())?;
        client.userinfo(token.access_token()).await?;
        ensure_bound("GET", userinfo.as_str())?;
    }
    // A client without the key cannot use it, and does not try.
    let seen = api.received().len();
    let keyless = cx.client(api.base_url())?;
    match request(&keyless, &token)? {
        Err(error) => expect::is(&error, ErrorKind::Usage, "a bound token without a key")?,
        Ok(_) => ensure!(
            false,
            "gave a bound token to a client without a key, expected an error, got a request"
        ),
    }
    // Kept and read again, it is still bound.
    let again = TokenSet::from_json(&token.to_json())?;
    ensure!(
        again.token_type() == TokenType::Dpop,
        "stored a bound token, expected one back, got {:?}",
        again.token_type()
    );
    let requests = api.received().len() - seen;
    ensure!(
        requests == 0,
        "expected nothing to be sent, got {requests} requests"
    );
    let key = SigningKey::generate()?;
    let shown = format!("{key:?} {client:?}");
    ensure!(
        !shown.contains(TOKEN),
        "expected nothing of a token to be shown, got {shown}"
    );
    Ok(())
}

/// A client credentials request, for rows about what comes after it.
async fn ask(client: &Client) -> Result<TokenSet, oauth_core::Error> {
    client.exchange(&ClientCredentials::new()).await
}
