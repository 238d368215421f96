//! A1, first half: the authorization request, and what it must never carry.

mod callback;
mod pkce;

pub(super) use pkce::verifier;

use std::{collections::HashSet, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth_core::{
    Capability::AuthorizationCode, Client, Endpoints, Error, ErrorKind, GenericProvider,
    PendingAuthorization, random::Random, secrecy::ExposeSecret,
};
use url::{Position, Url};

use crate::{
    Case, Context, Failure, Need::Can, Outcome, Reply, ScriptedServer, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-01" [Can(AuthorizationCode)] => authorization_url,
    "REQ-02" [Can(AuthorizationCode)] => secret_as_a_parameter,
    "REQ-03" [Can(AuthorizationCode)] => state,
    "REQ-04" [Can(AuthorizationCode)] => callback::foreign_state,
    "REQ-05" [Can(AuthorizationCode)] => callback::refused_by_the_user,
    "REQ-06" [Can(AuthorizationCode)] => callback::a_parameter_twice,
    "REQ-07" [Can(AuthorizationCode)] => callback::replayed,
    "REQ-08" [Can(AuthorizationCode)] => callback::code_exchange,
    "REQ-09" [Can(AuthorizationCode)] => redirect_uri_byte_for_byte,
    "REQ-10" [Can(AuthorizationCode)] => callback::code_sent_once,
    "REQ-11" [Can(AuthorizationCode)] => pkce::code_verifier,
    "REQ-12" [Can(AuthorizationCode)] => pkce::code_challenge,
    "REQ-13" [Can(AuthorizationCode)] => pkce::never_plain,
};

/// Where nothing listens, for cases that send nothing.
const NOWHERE: &str = "http://127.0.0.1:9";

/// An authorization request with the target's redirect URI and scopes, and with PKCE: a client may
/// switch it on whatever its provider does with it.
pub(super) fn begin(cx: &Context, client: &Client) -> Result<(Url, PendingAuthorization), Failure> {
    let own = cx.credentials();
    Ok(client
        .authorization_request(own.redirect_uri)
        .scopes(own.scopes)
        .pkce(true)
        .build()?)
}

/// The value of a parameter that must be in the URL exactly once.
pub(super) fn once(url: &Url, name: &str) -> Result<String, Failure> {
    let values: Vec<_> = url.query_pairs().filter(|(have, _)| have == name).collect();
    match values.as_slice() {
        [(_, value)] => Ok(value.to_string()),
        _ => Err(Failure::new(format!(
            "expected {name} once in the URL, got it {} times",
            values.len()
        ))),
    }
}

/// Follows the URL as a browser would, and gives the parameters that arrived.
async fn visit(server: &ScriptedServer, url: &Url) -> Result<Vec<(String, String)>, Failure> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    wire::request(server.base_url(), "GET", target, &[], b"").await?;
    let received = server.received();
    let query = received.last().and_then(|request| request.query());
    Ok(form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect())
}

async fn authorization_url(cx: Context) -> Outcome {
    let server = cx.scripted([Reply::new(200)]).await?;
    let client = cx.client(server.base_url())?;
    let own = cx.credentials();
    let (name, value) = ("login hint&", "a b+c=d&é#%\r\n");
    let (url, _) = client
        .authorization_request(&own.redirect_uri)
        .scopes(own.scopes.clone())
        .pkce(true)
        .param(name, value)
        .build()?;
    let arrived = visit(&server, &url).await?;
    let scope = own.scopes.to_string();
    let expected = [
        ("response_type", "code"),
        ("client_id", &own.client_id),
        ("redirect_uri", &own.redirect_uri),
        ("scope", &scope),
        ("code_challenge_method", "S256"),
        (name, value),
    ];
    for (name, value) in expected {
        let got: Vec<_> = arrived
            .iter()
            .filter(|(have, _)| have == name)
            .map(|(_, v)| v)
            .collect();
        ensure!(
            got == [value],
            "expected {name:?}={value:?} once in the URL, got {got:?}"
        );
    }
    ensure!(
        once(&url, "state")?.len() > 20,
        "expected a state in the URL, got none that is long"
    );
    once(&url, "code_challenge")?;

    // The query part of a provider's endpoint is fixed, so a plain provider shows it.
    let base = server.base_url();
    let endpoints = Endpoints::new(&format!("{base}/token"))?
        .with_authorization(&format!("{base}/authorize?tenant=a%20b&x"))?;
    let client = Client::builder(GenericProvider::new(endpoints), own.client_id.as_str())
        .client_secret(own.client_secret.clone())
        .build()?;
    let arrived = visit(&server, &begin(&cx, &client)?.0).await?;
    let kept = arrived.starts_with(&[("tenant".into(), "a b".into()), ("x".into(), String::new())]);
    ensure!(
        kept,
        "the endpoint has ?tenant=a%20b&x, expected it to be kept, got {arrived:?}"
    );
    ensure!(
        arrived
            .iter()
            .any(|(name, value)| name == "response_type" && value == "code"),
        "the endpoint has a query part, expected the parameters behind it, got {arrived:?}"
    );
    let fragment = Endpoints::new(&format!("{base}/token"))?
        .with_authorization(&format!("{base}/authorize#top"));
    ensure!(
        fragment.is_err(),
        "gave an endpoint with a fragment, expected it to be refused"
    );
    Ok(())
}

async fn secret_as_a_parameter(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let own = cx.credentials();
    for name in [
        "client_secret",
        "Client_Secret",
        "code_verifier",
        "access_token",
        "refresh_token",
        "token",
        "password",
        "client_assertion",
        "assertion",
        "id_token",
    ] {
        let result = client
            .authorization_request(&own.redirect_uri)
            .param(name, "planted-secret")
            .build();
        match result {
            Err(error) if error.kind() == ErrorKind::Usage => ensure!(
                !format!("{error} {error:?}").contains("planted-secret"),
                "offered {name}, expected an error without its value, got {error}"
            ),
            other => ensure!(
                false,
                "offered {name}, expected a usage error, got {other:?}"
            ),
        }
    }
    let (url, mut pending) = begin(&cx, &client)?;
    let state = once(&url, "state")?;
    client
        .exchange(&pending.accept(&format!("code=a-code&state={state}"))?)
        .await?;
    let verifier = server
        .received()
        .first()
        .and_then(|request| request.param("code_verifier"));
    let verifier = verifier.ok_or_else(|| Failure::new("no code_verifier came"))?;
    for (what, secret) in [
        ("client secret", own.client_secret.expose_secret()),
        ("code verifier", &verifier),
    ] {
        ensure!(
            !url.as_str().contains(secret),
            "expected no {what} in the URL, it is there"
        );
    }
    Ok(())
}

async fn state(cx: Context) -> Outcome {
    let client = cx.client(NOWHERE)?;
    let mut states = Vec::new();
    for _ in 0..1000 {
        states.push(once(&begin(&cx, &client)?.0, "state")?);
    }
    ensure_random("state", &states)?;

    #[derive(Debug)]
    struct NoRandom;
    impl Random for NoRandom {
        fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
            Err(Error::usage("no randomness"))
        }
    }
    let weak = cx.builder(NOWHERE)?.random(Arc::new(NoRandom)).build()?;
    ensure!(
        begin(&cx, &weak).is_err(),
        "had no randomness to give, expected an error, got a state of something weaker"
    );

    // Each is bound to its own flow.
    let (mine, mut pending) = begin(&cx, &client)?;
    let (theirs, _) = begin(&cx, &client)?;
    let theirs = pending.accept(&format!("code=a&state={}", once(&theirs, "state")?));
    ensure!(
        theirs.is_err(),
        "sent another flow's state, expected it to be refused"
    );
    pending.accept(&format!("code=a&state={}", once(&mine, "state")?))?;
    Ok(())
}

/// 128 bits at least, none of them fixed, no two alike.
fn ensure_random(what: &str, texts: &[String]) -> Outcome {
    let unique: HashSet<_> = texts.iter().collect();
    ensure!(
        unique.len() == texts.len(),
        "expected {} different {what}s, got {}",
        texts.len(),
        unique.len()
    );
    let mut ones = Vec::new();
    for text in texts {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| Failure::new(format!("{what} is not base64url")))?;
        ensure!(
            bytes.len() >= 16,
            "expected 128 bits of {what}, got {}",
            bytes.len() * 8
        );
        ones.resize(bytes.len() * 8, 0_usize);
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += usize::from(bytes[bit / 8] >> (bit % 8) & 1);
        }
    }
    // Ten standard deviations on either side: only a bit that is not random gets out.
    let (half, far) = (texts.len() / 2, 5 * texts.len().isqrt());
    let fixed = ones.iter().position(|count| count.abs_diff(half) > far);
    ensure!(
        fixed.is_none(),
        "expected every bit of {what} to be random, bit {fixed:?} is not, of {} values",
        texts.len()
    );
    Ok(())
}

async fn redirect_uri_byte_for_byte(cx: Context) -> Outcome {
    for redirect_uri in [
        "http://localhost",
        "http://LocalHost:80",
        "https://App.Example.com:443/a/../b",
        "https://app.example.com/cb?x=%7e&y=a+b%20c",
        "https://app.example.com/%7Euser/",
        "com.example.app:/callback",
    ] {
        let server = cx
            .scripted([cx.token_reply("conformance-access-token")])
            .await?;
        let client = cx.client(server.base_url())?;
        let (url, mut pending) = client
            .authorization_request(redirect_uri)
            .pkce(true)
            .build()?;
        let got = once(&url, "redirect_uri")?;
        ensure!(
            got == redirect_uri,
            "gave {redirect_uri}, expected it in the URL, got {got}"
        );
        let state = once(&url, "state")?;
        client
            .exchange(&pending.accept(&format!("code=a-code&state={state}"))?)
            .await?;
        let got = server
            .received()
            .first()
            .and_then(|request| request.param("redirect_uri"));
        ensure!(
            got.as_deref() == Some(redirect_uri),
            "gave {redirect_uri}, expected it in the token request, got {got:?}"
        );
    }
    Ok(())
}
