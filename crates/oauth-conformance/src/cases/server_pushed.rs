//! E12: authorization requests that the client pushes first (RFC 9126).

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::server::{CHALLENGE, Tested, granted, is_json_not_stored, member, refused, shown};
use super::server_browser::parameter;
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SPR-01" [Counterpart, Server] => good_requests,
    "SPR-02" [Counterpart, Server] => bad_requests,
    "SPR-03" [Counterpart, Server] => dead_request_uris,
};

fn good(tested: &Tested) -> Vec<(&str, &str)> {
    vec![
        ("response_type", "code"),
        ("redirect_uri", &tested.set().redirect_uri),
        ("scope", "read"),
        ("state", "the pushed state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

async fn push(
    tested: &Tested,
    client: &ServerClient,
    form: &[(&str, &str)],
) -> Result<Answer, Failure> {
    let path = &tested.set().pushed_authorization;
    tested.post_as(path, client, form).await
}

/// The answer to a good request.
async fn pushed(tested: &Tested, client: &ServerClient) -> Result<Value, Failure> {
    let answer = push(tested, client, &good(tested)).await?;
    ensure!(
        answer.status() == 201,
        "pushed a good request, expected 201, got {}",
        shown(&answer)
    );
    is_json_not_stored("a good pushed request", &answer)?;
    answer.json()
}

/// Takes it to the authorization endpoint, as the browser of a person who says yes.
async fn use_it(
    tested: &Tested,
    client: &ServerClient,
    request_uri: &str,
    more: &[(&str, &str)],
) -> Result<Answer, Failure> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client.id)
        .append_pair("request_uri", request_uri)
        .extend_pairs(more)
        .finish();
    let target = format!("{}?{query}", tested.set().authorization);
    wire::request(tested.base_url(), "GET", &target, &[], b"").await
}

/// The code that the browser brings back.
fn code(sent: &str, answer: &Answer) -> Result<String, Failure> {
    let location = answer.header("location").unwrap_or_default();
    parameter(location, "code").ok_or_else(|| {
        let error = parameter(location, "error");
        Failure::new(format!(
            "sent {sent}, expected a code, got {} and error {error:?}",
            answer.status()
        ))
    })
}

/// Fails when a code comes back.
fn no_code(sent: &str, answer: &Answer) -> Outcome {
    let location = answer.header("location").unwrap_or_default();
    let refused = answer.status() >= 400 || parameter(location, "error").is_some();
    ensure!(
        refused && parameter(location, "code").is_none(),
        "sent {sent}, expected a refusal, got {}",
        answer.status()
    );
    Ok(())
}

async fn good_requests(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for client in [&set.confidential, &set.public] {
        let answer = pushed(&tested, client).await?;
        let lifetime = answer["expires_in"].as_u64().unwrap_or_default();
        ensure!(
            (5..=600).contains(&lifetime),
            "pushed a request, expected expires_in up to 600, got {}",
            answer["expires_in"]
        );
        let request_uri = member(&answer, "request_uri")?;
        ensure!(
            request_uri.starts_with("urn:ietf:params:oauth:request_uri:"),
            "pushed a request, expected a urn of RFC 9126 §2.2, got another request_uri"
        );
        // What comes with it in the browser does not count.
        let more = [
            ("scope", "admin"),
            ("state", "of the address"),
            ("redirect_uri", "x"),
        ];
        let back = use_it(&tested, client, request_uri, &more).await?;
        let code = code("a request_uri", &back)?;
        let state = parameter(back.header("location").unwrap_or_default(), "state");
        ensure!(
            state.as_deref() == Some("the pushed state"),
            "sent a request_uri, expected the pushed state, got {state:?}"
        );
        let tokens = granted("its code", &tested.redeem(client, &code).await?)?;
        ensure!(
            tokens["scope"] == "read",
            "pushed the scope read, expected it, got {}",
            tokens["scope"]
        );
    }
    let mut seen = BTreeSet::new();
    for _ in 0..64 {
        let answer = pushed(&tested, &set.confidential).await?;
        let request_uri = member(&answer, "request_uri")?.to_owned();
        let own = request_uri.rsplit(':').next().unwrap_or_default();
        // 22 characters of 6 bits are more than 128.
        ensure!(
            own.len() >= 22 && own.bytes().all(|byte| byte.is_ascii_graphic()),
            "pushed a request, expected 128 bits in request_uri, got {} characters",
            own.len()
        );
        ensure!(
            seen.insert(request_uri),
            "pushed 64 requests, expected as many request_uri, got one twice"
        );
    }
    Ok(())
}

async fn bad_requests(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    let known = pushed(&tested, client).await?;
    let known = member(&known, "request_uri")?;
    let with = |more: &[(&'static str, &str)]| {
        let more: Vec<_> = more
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let all = good(&tested)
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        let changed = |name: &str| more.iter().any(|(other, _)| *other == name);
        let kept: Vec<_> = all.filter(|(name, _)| !changed(name)).collect();
        kept.into_iter().chain(more.clone()).collect::<Vec<_>>()
    };
    for (sent, form, code) in [
        (
            "a request_uri",
            with(&[("request_uri", known)]),
            "invalid_request",
        ),
        (
            "a state twice",
            with(&[("state", "a"), ("state", "a")]),
            "invalid_request",
        ),
        (
            "no response_type",
            with(&[("response_type", "")]),
            "invalid_request",
        ),
        (
            "no challenge",
            with(&[("code_challenge", "")]),
            "invalid_request",
        ),
        (
            "the method plain",
            with(&[("code_challenge_method", "plain")]),
            "invalid_request",
        ),
        (
            "a foreign redirect_uri",
            with(&[("redirect_uri", "https://evil.example/")]),
            "invalid_request",
        ),
        (
            "an unknown scope",
            with(&[("scope", "nobody-has-this")]),
            "invalid_scope",
        ),
        (
            "response_type=token",
            with(&[("response_type", "token")]),
            "unsupported_response_type",
        ),
    ] {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = push(&tested, client, &form).await?;
        refused(
            &format!("a pushed request with {sent}"),
            &answer,
            &[400],
            &[code],
        )?;
    }
    let wrong = ServerClient::new(&client.id, "wrong");
    for stranger in [
        &wrong,
        &ServerClient::new(&client.id, ""),
        &ServerClient::new("nobody-knows-it", ""),
        &set.disabled,
    ] {
        let answer = push(&tested, stranger, &good(&tested)).await?;
        refused(
            &format!("a request pushed as {} without its secret", stranger.id),
            &answer,
            &[400, 401],
            &["invalid_client"],
        )?;
    }
    let path = &set.pushed_authorization;
    let answer = tested.post(path, &[], &good(&tested)).await?;
    refused(
        "a request pushed by nobody",
        &answer,
        &[400, 401],
        &["invalid_client"],
    )?;
    let answer = push(&tested, &set.limited, &good(&tested)).await?;
    refused(
        "a request of a client without the grant",
        &answer,
        &[400],
        &["unauthorized_client"],
    )?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &set.public.id)
        .extend_pairs(good(&tested))
        .finish();
    for (method, target) in [
        ("GET", format!("{path}?{query}")),
        ("PUT", path.clone()),
        ("POST", format!("{path}?{query}")),
    ] {
        let answer = wire::request(tested.base_url(), method, &target, &[], b"").await?;
        ensure!(
            matches!(answer.status(), 400 | 401 | 405),
            "pushed by {method} in the query, expected a refusal, got {}",
            answer.status()
        );
    }
    Ok(())
}

async fn dead_request_uris(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (client, other) = (&set.confidential, &set.public);
    let fresh = async || {
        let answer = pushed(&tested, client).await?;
        Ok::<_, Failure>(member(&answer, "request_uri")?.to_owned())
    };
    let used = fresh().await?;
    code("a request_uri", &use_it(&tested, client, &used, &[]).await?)?;
    no_code("it again", &use_it(&tested, client, &used, &[]).await?)?;

    let foreign = fresh().await?;
    no_code(
        "another client's",
        &use_it(&tested, other, &foreign, &[]).await?,
    )?;
    code(
        "the same as its owner",
        &use_it(&tested, client, &foreign, &[]).await?,
    )?;

    let cut = fresh().await?;
    for (sent, uri) in [
        ("one that is cut", &cut[..cut.len() - 1]),
        (
            "an unknown one",
            "urn:ietf:params:oauth:request_uri:unknown",
        ),
        ("one of another kind", "https://evil.example/request.jwt"),
        ("a loopback address", "http://127.0.0.1:9/request"),
        ("an empty one", ""),
    ] {
        no_code(sent, &use_it(&tested, client, uri, &[]).await?)?;
    }
    let twice = [("request_uri", cut.as_str())];
    no_code("one twice", &use_it(&tested, client, &cut, &twice).await?)?;

    let raced = fresh().await?;
    let answers = join_all((0..20).map(|_| use_it(&tested, client, &raced, &[]))).await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let codes = answers.iter().filter(|answer| code("one", answer).is_ok());
    let codes = codes.count();
    ensure!(
        codes == 1,
        "sent one request_uri 20 times at once, expected 1 code, got {codes}"
    );

    let expired = fresh().await?;
    tested.control().advance(601).await?;
    no_code(
        "an expired one",
        &use_it(&tested, client, &expired, &[]).await?,
    )?;

    // A client that must push cannot leave it out.
    let must = json!({
        "client_id": "pushes", "client_secret": "pushes-secret", "require_pushed": true,
        "redirect_uris": [set.redirect_uri],
    });
    tested.control().post("clients", &must).await?;
    let must = ServerClient::new("pushes", "pushes-secret");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &must.id)
        .extend_pairs(good(&tested))
        .finish();
    let target = format!("{}?{query}", set.authorization);
    let plain = wire::request(tested.base_url(), "GET", &target, &[], b"").await?;
    no_code("a request that was to be pushed", &plain)?;
    let answer = pushed(&tested, &must).await?;
    let back = use_it(&tested, &must, member(&answer, "request_uri")?, &[]).await?;
    code("the same, pushed", &back).map(|_| ())
}
