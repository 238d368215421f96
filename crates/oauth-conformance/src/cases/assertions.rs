//! A5, first part: assertions as grants, and token exchange.

use oauth_core::{
    Capability, Error, ErrorKind, SigningKey, TokenSet, TokenType,
    grant::{JwtBearer, TokenExchange},
    jose::Assertion,
};
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};

use super::{
    expect,
    grants::ensure_body,
    jwt::{self, ec_with},
};
use crate::{
    Case, Context, Failure,
    Need::{Can, FormRequests},
    Outcome, Reply, ScriptedServer, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-50" [Can(Capability::JwtBearer)] => jwt_bearer_body,
    "REQ-51" [Can(Capability::JwtBearer)] => claims,
    "REQ-52" [Can(Capability::JwtBearer)] => unsigned,
    "REQ-53" [Can(Capability::TokenExchange), FormRequests] => exchange_body,
    "REQ-54" [Can(Capability::TokenExchange)] => exchange_answer,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async fn token_server(cx: &Context) -> Result<ScriptedServer, Failure> {
    cx.scripted([cx.token_reply("conformance-access-token")])
        .await
}

async fn jwt_bearer_body(cx: Context) -> Outcome {
    let server = token_server(&cx).await?;
    let client = cx.client(server.base_url())?;
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";
    client.exchange(&JwtBearer::new(text)).await?;
    ensure_body(
        &server.last()?,
        &[("grant_type", GRANT_TYPE), ("assertion", text)],
    )?;

    let scopes = cx.credentials().scopes;
    let grant = JwtBearer::new(text).with_scopes(scopes.clone());
    client.exchange(&grant).await?;
    let scope = scopes.to_string();
    let expected = [
        ("grant_type", GRANT_TYPE),
        ("assertion", text),
        ("scope", &scope),
    ];
    ensure_body(&server.last()?, &expected)
}

async fn claims(cx: Context) -> Outcome {
    let server = token_server(&cx).await?;
    let client = cx.client(server.base_url())?;
    let (key, public) = jwt::ec()?;
    let now = jwt::seconds(&cx);
    let mut seen = HashSet::new();
    let plain = Assertion::new("an-issuer", "a-subject", "https://id.example.com");
    let short = plain
        .clone()
        .with_lifetime(Duration::from_secs(30))
        .with_claim("x", 1);
    for (assertion, lifetime) in [(&plain, 300), (&plain, 300), (&short, 30)] {
        let signed = assertion.sign(&key, &client)?;
        client.exchange(&JwtBearer::new(signed)).await?;
        let sent = server.last()?.param("assertion").unwrap_or_default();
        let jwt = jwt::open(&sent, &public)?;
        let jti = jwt.claims["jti"].as_str().unwrap_or_default().to_owned();
        let mut expected = json!({
            "iss": "an-issuer", "sub": "a-subject", "aud": "https://id.example.com",
            "iat": now, "exp": now + lifetime, "jti": jti,
        });
        if lifetime == 30 {
            expected["x"] = json!(1);
        }
        ensure!(
            jwt.claims == expected,
            "signed an assertion at {now}, expected {expected}, got {}",
            jwt.claims
        );
        ensure!(
            jwt.header["kid"] == "ec",
            "expected the key's kid, got {}",
            jwt.header
        );
        ensure!(
            jti.len() >= 22 && seen.insert(jti.clone()),
            "expected a jti of 128 bits that is new, got {jti:?}"
        );
    }
    Ok(())
}

async fn unsigned(cx: Context) -> Outcome {
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES384")),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
        ("kty", json!("RSA")),
        ("use", json!("enc")),
        ("d", json!(null)),
    ] {
        let key = SigningKey::from_jwk(&ec_with(name, value.clone()).into());
        ensure!(
            key.is_err(),
            "gave a P-256 key with {name} {value}, expected no key, got {key:?}"
        );
    }
    let secret = SigningKey::from_jwk(&jwt::secret(&"s".repeat(64)).to_string().into());
    ensure!(
        secret.is_err(),
        "gave a symmetric key, expected none, got {secret:?}"
    );
    let (rsa, public) = jwt::rsa()?;
    let server = token_server(&cx).await?;
    let client = cx.client(server.base_url())?;
    let signed = Assertion::new("i", "s", "a").sign(&rsa, &client)?;
    client.exchange(&JwtBearer::new(signed)).await?;
    let sent = server.last()?.param("assertion").unwrap_or_default();
    jwt::open(&sent, &public)?;

    let seen = server.received().len();
    for text in [
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIn0.",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIn0",
        "",
    ] {
        let result = client.exchange(&JwtBearer::new(text)).await;
        refused(&server, seen, &format!("the assertion {text:?}"), &result)?;
    }
    for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"] {
        let assertion = Assertion::new("i", "s", "a").with_claim(name, 1);
        let result = assertion.sign(&rsa, &client);
        ensure!(
            result.is_err(),
            "gave {name} once more as an extra claim, expected an error, got a JWT"
        );
    }
    Ok(())
}

/// That a call was refused by the client itself, and that the server saw nothing of it.
fn refused(
    server: &ScriptedServer,
    seen: usize,
    gave: &str,
    result: &Result<TokenSet, Error>,
) -> Outcome {
    match result {
        Err(error) => expect::is(error, ErrorKind::Usage, gave)?,
        Ok(_) => ensure!(false, "gave {gave}, expected a usage error, got a token"),
    }
    let sent = server.received().len() - seen;
    ensure!(sent == 0, "gave {gave}, expected no request, got {sent}");
    Ok(())
}

fn exchanged(cx: &Context) -> Reply {
    cx.token_reply_with("issued_token_type", json!(TokenExchange::ACCESS_TOKEN))
}

async fn exchange_body(cx: Context) -> Outcome {
    let server = cx.scripted([exchanged(&cx)]).await?;
    let client = cx.client(server.base_url())?;
    let grant_type = "urn:ietf:params:oauth:grant-type:token-exchange";
    client
        .exchange(&TokenExchange::new("st", TokenExchange::JWT))
        .await?;
    let subject = [
        ("grant_type", grant_type),
        ("subject_token", "st"),
        ("subject_token_type", TokenExchange::JWT),
    ];
    ensure_body(&server.last()?, &subject)?;

    let grant = TokenExchange::new("st", TokenExchange::JWT)
        .with_actor("at", TokenExchange::ACCESS_TOKEN)
        .with_requested_token_type(TokenExchange::REFRESH_TOKEN)
        .with_resource("https://a.example/x?y=z")
        .with_resource("urn:b")
        .with_audience("one")
        .with_audience("two");
    client.exchange(&grant).await?;
    let request = server.last()?;
    let all = |name: &str| -> Vec<String> {
        let params = request.params().into_iter();
        params
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value)
            .collect()
    };
    for (name, expected) in [
        ("subject_token", vec!["st"]),
        ("subject_token_type", vec![TokenExchange::JWT]),
        ("actor_token", vec!["at"]),
        ("actor_token_type", vec![TokenExchange::ACCESS_TOKEN]),
        ("requested_token_type", vec![TokenExchange::REFRESH_TOKEN]),
        ("resource", vec!["https://a.example/x?y=z", "urn:b"]),
        ("audience", vec!["one", "two"]),
        ("scope", vec![]),
    ] {
        let got = all(name);
        ensure!(
            got == expected,
            "expected {name} as {expected:?}, got {got:?}"
        );
    }
    let seen = server.received().len();
    let good = || TokenExchange::new("st", TokenExchange::JWT);
    for (grant, gave) in [
        (
            TokenExchange::new("st", ""),
            "a subject token without its type",
        ),
        (
            good().with_actor("at", ""),
            "an actor token without its type",
        ),
        (good().with_resource("/relative"), "a relative resource"),
        (
            good().with_resource("https://a.example/#f"),
            "a resource with a fragment",
        ),
    ] {
        let result = client.exchange(&grant).await;
        refused(&server, seen, gave, &result)?;
    }
    Ok(())
}

async fn exchange_answer(cx: Context) -> Outcome {
    let grant = TokenExchange::new("st", TokenExchange::JWT);
    let ask = async |reply: Reply| -> Result<Result<TokenSet, Error>, Failure> {
        let server = cx.scripted([reply]).await?;
        Ok(cx.client(server.base_url())?.exchange(&grant).await)
    };
    let answer = |token_type: &str, issued: Value| {
        let mut answer = cx.target().token_answer("conformance-access-token");
        answer["token_type"] = json!(token_type);
        answer["issued_token_type"] = issued;
        Reply::json(200, &answer)
    };
    for (named, expected) in [
        ("Bearer", TokenType::Bearer),
        ("N_A", TokenType::NotApplicable),
        ("n_a", TokenType::NotApplicable),
    ] {
        let token = ask(answer(named, json!(TokenExchange::JWT))).await??;
        let got = oauth_core::Token::token_type(&token);
        ensure!(
            got == expected,
            "sent token_type {named}, expected {expected:?}, got {got:?}"
        );
        let issued = token.extra().get("issued_token_type");
        ensure!(
            issued == Some(&json!(TokenExchange::JWT)),
            "expected issued_token_type to be kept, got {issued:?}"
        );
        let client = cx.client("http://127.0.0.1:9")?;
        let mut request = http::Request::get("https://api.example.com/")
            .body(())
            .unwrap_or_default();
        let attached = client.authorize(&token, &mut request);
        ensure!(
            attached.is_ok() == (expected == TokenType::Bearer),
            "sent token_type {named}, expected only Bearer to go into a request, got {attached:?}"
        );
    }
    for issued in [json!(null), json!(7), json!(["x"])] {
        let sent = format!("issued_token_type {issued}");
        match ask(answer("Bearer", issued)).await? {
            Err(error) => expect::is(&error, ErrorKind::Protocol, &sent)?,
            Ok(_) => ensure!(false, "sent {sent}, expected an error, got a token"),
        }
    }
    // For any other grant it is a type that nobody knows.
    let reply = cx.token_reply_with("token_type", json!("N_A"));
    expect::error_of(&cx, ErrorKind::Protocol, "N_A to client credentials", reply).await?;
    Ok(())
}
