//! E6: the authorization endpoint of a server whose person says yes.

use std::collections::HashMap;

use super::server::{CHALLENGE, Tested, VERIFIER, granted, refused, shown};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SAC-06" [Counterpart, Server] => redirect_uri_by_the_byte,
    "SAC-07" [Counterpart, Server] => loopback_ports,
    "SAC-08" [Counterpart, Server] => untrusted_request,
    "SAC-09" [Counterpart, Server] => other_faults,
    "SAC-10" [Counterpart, Server] => state,
    "SAC-11" [Counterpart, Server] => issuer,
    "SAC-15" [Counterpart, Server] => response_types,
    "SAC-16" [Counterpart, Server] => repeated_parameters,
    "SAC-17" [Counterpart, Server] => forwarding_parameters,
    "SPK-04" [Counterpart, Server] => challenge_methods,
    "SPK-05" [Counterpart, Server] => no_challenge,
    "SPK-06" [Counterpart, Server] => malformed_challenge_or_verifier,
};

pub(super) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// A good request of the public client.
pub(super) fn good(tested: &Tested) -> Pairs<'_> {
    vec![
        ("response_type", "code"),
        ("client_id", &tested.set().public.id),
        ("redirect_uri", &tested.set().redirect_uri),
        ("scope", "read"),
        ("state", "the-state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The good request with these parameters in place of its own; an empty one is left out.
fn with<'a>(tested: &'a Tested, changes: &[(&'a str, &'a str)]) -> Pairs<'a> {
    let changed = |name: &str| changes.iter().any(|(other, _)| *other == name);
    let kept = good(tested).into_iter().filter(|(name, _)| !changed(name));
    kept.chain(
        changes
            .iter()
            .copied()
            .filter(|(_, value)| !value.is_empty()),
    )
    .collect()
}

pub(super) async fn ask(tested: &Tested, pairs: &[(&str, &str)]) -> Result<Answer, Failure> {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let target = format!("{}?{query}", tested.set().authorization);
    wire::request(tested.base_url(), "GET", &target, &[], b"").await
}

/// Where a redirect leads, without its query, and the query's parameters.
pub(super) fn redirected(
    sent: &str,
    answer: &Answer,
) -> Result<(String, HashMap<String, String>), Failure> {
    let (status, location) = (
        answer.status(),
        answer.header("location").unwrap_or_default(),
    );
    let right = matches!(status, 302 | 303) && !location.is_empty();
    ensure!(
        right,
        "sent {sent}, expected a redirect, got {}",
        shown(answer)
    );
    let (to, query) = location.split_once('?').unwrap_or((location, ""));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let (all, mut parameters) = (pairs.len(), pairs.into_iter().collect::<HashMap<_, _>>());
    // No case needs its text, and no report may hold it.
    if let Some(code) = parameters.get_mut("code") {
        "a code".clone_into(code);
    }
    ensure!(
        parameters.len() == all,
        "sent {sent}, expected no parameter twice, got {parameters:?}"
    );
    Ok((to.to_owned(), parameters))
}

/// Fails unless the answer is a page and leads nowhere.
fn not_redirected(sent: &str, answer: &Answer) -> Outcome {
    let location = answer
        .header("location")
        .and_then(|location| location.split('?').next());
    let status = answer.status();
    ensure!(
        status == 400 && location.is_none(),
        "sent {sent}, expected 400 and no redirect, got {status} {location:?}"
    );
    let page = answer.text();
    let refresh = answer.header("refresh").is_some() || page.to_lowercase().contains("http-equiv");
    ensure!(
        !refresh,
        "sent {sent}, expected a page that leads nowhere, got {page}"
    );
    Ok(())
}

/// Fails unless the client is told this error, at its own redirect URI.
fn told(tested: &Tested, sent: &str, answer: &Answer, code: &str) -> Outcome {
    let (to, parameters) = redirected(sent, answer)?;
    ensure!(
        to == tested.set().redirect_uri,
        "sent {sent}, expected the redirect URI, got {to}"
    );
    let error = parameters.get("error").map(String::as_str);
    ensure!(
        error == Some(code),
        "sent {sent}, expected error={code}, got {parameters:?}"
    );
    ensure!(
        !parameters.contains_key("code"),
        "sent {sent}, expected no code with the error, got one"
    );
    Ok(())
}

async fn redirect_uri_by_the_byte(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let uri = "https://example.com/callback";
    let known = redirected(
        "a registered redirect_uri",
        &ask(&tested, &with(&tested, &[("redirect_uri", uri)])).await?,
    )?;
    ensure!(
        known.0 == uri,
        "sent {uri}, expected it unchanged, got {}",
        known.0
    );
    for other in [
        "https://example.com/callback/",
        "https://example.com/callback/more",
        "https://example.com/callback/..",
        "https://example.com/callback/%2e%2e",
        "https://example.com/%63allback",
        "https://example.com/Callback",
        "https://EXAMPLE.com/callback",
        "HTTPS://example.com/callback",
        "https://example.com/callback?a=b",
        "https://example.com/callback?",
        "https://user@example.com/callback",
        "https://example.com:443/callback",
        "https://example.com:8443/callback",
        "https://example.com/callback#part",
        "https://example.com/callback#",
        "https://sub.example.com/callback",
        "https://example.com.evil.example/callback",
        "https://evil.example/callback",
        "https://example.com\\@evil.example/callback",
        "https:\\\\example.com\\callback",
        "//example.com/callback",
        "https://example.com//callback",
        "https://ex\u{430}mple.com/callback",
        "http://example.com/callback",
        " https://example.com/callback",
        "https://example.com/callback ",
        "https://example.com/./callback",
        "javascript:alert(1)",
        "/callback",
        "callback",
    ] {
        let answer = ask(&tested, &with(&tested, &[("redirect_uri", other)])).await?;
        not_redirected(&format!("the redirect_uri {other:?}"), &answer)?;
    }
    Ok(())
}

async fn loopback_ports(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for uri in [
        "http://127.0.0.1:51004/callback",
        "http://[::1]:51004/callback",
    ] {
        let (to, parameters) = redirected(
            uri,
            &ask(&tested, &with(&tested, &[("redirect_uri", uri)])).await?,
        )?;
        ensure!(
            to == uri && parameters.contains_key("code"),
            "sent {uri}, expected a code there, got {to} {parameters:?}"
        );
    }
    for uri in [
        "http://127.0.0.1:51004/other",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.2:51004/callback",
        "http://localhost:51004/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:70000/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:80@evil.example/callback",
        "http://0.0.0.0:51004/callback",
        "https://example.com:51004/callback",
        "http://127.0.0.1.evil.example:51004/callback",
    ] {
        let answer = ask(&tested, &with(&tested, &[("redirect_uri", uri)])).await?;
        not_redirected(&format!("the redirect_uri {uri}"), &answer)?;
    }
    Ok(())
}

pub(super) async fn untrusted_request(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for changes in [
        [("client_id", "nobody-knows-it")],
        [("client_id", "")],
        [("client_id", tested.set().disabled.id.as_str())],
        [("redirect_uri", "https://evil.example/callback")],
    ] {
        let answer = ask(&tested, &with(&tested, &changes)).await?;
        not_redirected(&format!("{changes:?}"), &answer)?;
    }
    // Several are registered, so that one must be named.
    not_redirected(
        "no redirect_uri",
        &ask(&tested, &with(&tested, &[("redirect_uri", "")])).await?,
    )
}

async fn other_faults(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for (change, code) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "nobody-has-this"), "invalid_scope"),
        (("scope", "a\"b"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("resource", "https://unknown.example"), "invalid_target"),
        (
            ("client_id", &tested.set().limited.id),
            "unauthorized_client",
        ),
    ] {
        let answer = ask(
            &tested,
            &with(&tested, &[change, ("planted", "planted-value")]),
        )
        .await?;
        let sent = format!("{change:?}");
        told(&tested, &sent, &answer, code)?;
        let (_, parameters) = redirected(&sent, &answer)?;
        let state = parameters.get("state").map(String::as_str);
        ensure!(
            state == Some("the-state"),
            "sent {sent}, expected the state back, got {state:?}"
        );
        ensure!(
            parameters.contains_key("iss"),
            "sent {sent}, expected iss, got {parameters:?}"
        );
        let known = ["error", "error_description", "error_uri", "state", "iss"];
        let others: Vec<_> = parameters
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        ensure!(
            others.is_empty(),
            "sent {sent}, expected nothing else of the input, got {others:?}"
        );
        let repeated = !change.1.is_empty()
            && parameters
                .get("error_description")
                .is_some_and(|text| text.contains(change.1));
        ensure!(
            !repeated,
            "sent {sent}, expected a description without it, got {parameters:?}"
        );
    }
    Ok(())
}

async fn state(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let printable: String = (' '..='~').collect();
    let long = "s&=%+#?/ ".repeat(228);
    for state in ["", "plain", &printable, &long, "%41+%2B", "\u{e4}\u{1f600}"] {
        let (_, parameters) = redirected(
            "a state",
            &ask(&tested, &with(&tested, &[("state", state)])).await?,
        )?;
        ensure!(
            parameters.contains_key("code"),
            "sent the state {state:?}, expected a code, got {parameters:?}"
        );
        let got = parameters.get("state").map(String::as_str);
        let wanted = Some(state).filter(|state| !state.is_empty());
        ensure!(
            got == wanted,
            "sent the state {state:?}, expected it back, got {got:?}"
        );
    }
    Ok(())
}

async fn issuer(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let metadata =
        wire::request(tested.base_url(), "GET", &tested.set().metadata, &[], b"").await?;
    let issuer = granted("a request for metadata", &metadata)?["issuer"].clone();
    let good = good(&tested);
    let denied = [&good[..], &[("_deny", "1")]].concat();
    for (sent, pairs) in [
        ("a good request", good.clone()),
        ("a bad scope", with(&tested, &[("scope", "none")])),
        ("a request that is refused", denied),
    ] {
        let (_, parameters) = redirected(sent, &ask(&tested, &pairs).await?)?;
        let got = parameters.get("iss");
        ensure!(
            got.is_some_and(|iss| issuer == iss.as_str()),
            "sent {sent}, expected iss={issuer}, got {got:?}"
        );
    }
    Ok(())
}

async fn response_types(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for kind in [
        "token",
        "code token",
        "id_token",
        "none",
        "unknown",
        "Code",
        "code ",
    ] {
        let answer = ask(&tested, &with(&tested, &[("response_type", kind)])).await?;
        told(
            &tested,
            &format!("response_type={kind}"),
            &answer,
            "unsupported_response_type",
        )?;
    }
    Ok(())
}

async fn repeated_parameters(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let good = good(&tested);
    for (name, value) in &good {
        let twice = [&good[..], &[(*name, *value)]].concat();
        let answer = ask(&tested, &twice).await?;
        let sent = format!("{name} twice");
        match *name {
            "client_id" | "redirect_uri" => not_redirected(&sent, &answer)?,
            _ => told(&tested, &sent, &answer, "invalid_request")?,
        }
    }
    Ok(())
}

pub(super) async fn forwarding_parameters(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let evil = "https://evil.example/";
    for name in [
        "next",
        "return_to",
        "redirect",
        "redirect_url",
        "url",
        "continue",
        "target",
        "RelayState",
    ] {
        for changes in [
            vec![(name, evil)],
            vec![(name, evil), ("redirect_uri", evil)],
            vec![(name, evil), ("scope", "none")],
        ] {
            let answer = ask(&tested, &with(&tested, &changes)).await?;
            let to = answer.header("location").unwrap_or_default();
            ensure!(
                !to.contains("evil"),
                "sent {changes:?}, expected no way there, got one"
            );
        }
    }
    Ok(())
}

async fn challenge_methods(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for (method, challenge) in [
        ("plain", VERIFIER),
        ("plain", CHALLENGE),
        ("", CHALLENGE),
        ("s256", CHALLENGE),
        ("S512", CHALLENGE),
    ] {
        let changes = [
            ("code_challenge_method", method),
            ("code_challenge", challenge),
        ];
        let answer = ask(&tested, &with(&tested, &changes)).await?;
        told(
            &tested,
            &format!("code_challenge_method={method}"),
            &answer,
            "invalid_request",
        )?;
    }
    Ok(())
}

async fn no_challenge(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for client in [&set.confidential, &set.public, &set.code_only] {
        for method in ["", "S256"] {
            let changes = [
                ("client_id", client.id.as_str()),
                ("code_challenge", ""),
                ("code_challenge_method", method),
            ];
            let answer = ask(&tested, &with(&tested, &changes)).await?;
            told(
                &tested,
                &format!("no code_challenge as {}", client.id),
                &answer,
                "invalid_request",
            )?;
        }
    }
    Ok(())
}

async fn malformed_challenge_or_verifier(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let texts = [
        "a".repeat(42),
        "a".repeat(129),
        format!("{}+", "a".repeat(42)),
        format!("{}=", "a".repeat(43)),
        format!("{}\u{e4}", "a".repeat(43)),
    ];
    for text in &texts {
        let answer = ask(&tested, &with(&tested, &[("code_challenge", text)])).await?;
        told(
            &tested,
            &format!("the challenge {text:?}"),
            &answer,
            "invalid_request",
        )?;
        let code = tested.code(&set.public).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &set.redirect_uri),
            ("code_verifier", text),
        ];
        refused(
            &format!("the verifier {text:?}"),
            &tested.token_as(&set.public, &form).await?,
            &[400],
            &["invalid_request"],
        )?;
    }
    Ok(())
}
