//! E1: what the token endpoint answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::server::{Tested, basic, granted, is_json_not_stored, member, refused};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::Answer,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-09" [Counterpart, Server] => head_of_a_success,
    "STK-10" [Counterpart, Server] => error_bodies,
    "STK-11" [Counterpart, Server] => errors_repeat_nothing,
    "STK-19" [Counterpart, Server] => expires_in,
    "STK-20" [Counterpart, Server] => granted_scope,
    "STK-21" [Counterpart, Server] => scope_outside_the_grammar,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn head_of_a_success(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let answer = tested
        .token_as(&tested.set().confidential, &[GRANT])
        .await?;
    granted("a good request", &answer)?;
    is_json_not_stored("a good request", &answer)
}

/// Requests that fail, each for another reason.
fn failing<'a>() -> Vec<(&'static str, Vec<(&'a str, &'a str)>)> {
    vec![
        ("no grant_type", vec![]),
        (
            "an unknown grant_type",
            vec![("grant_type", "\"un\\known\"\u{e4}")],
        ),
        ("a repeated parameter", vec![GRANT, GRANT]),
        (
            "a scope that is not allowed",
            vec![GRANT, ("scope", "nobody-has-this")],
        ),
        (
            "a scope with a line break",
            vec![GRANT, ("scope", "a\r\nX-Injected: 1")],
        ),
        (
            "an unknown resource",
            vec![GRANT, ("resource", "https://unknown.example")],
        ),
        ("no code", vec![("grant_type", "authorization_code")]),
        (
            "an unknown code",
            vec![
                ("grant_type", "authorization_code"),
                ("code", "<b>\"\\\t\u{1}"),
            ],
        ),
        ("no refresh token", vec![("grant_type", "refresh_token")]),
        (
            "an unknown refresh token",
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "un\"known"),
            ],
        ),
    ]
}

async fn error_bodies(cx: Context) -> Outcome {
    let registry = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    ];
    let tested = Tested::start(&cx).await?;
    for (sent, form) in failing() {
        let answer = tested.token_as(&tested.set().confidential, &form).await?;
        refused(sent, &answer, &[400], &registry)?;
        is_json_not_stored(sent, &answer)?;
        let body = answer.json()?;
        if let Some(description) = body.get("error_description") {
            let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            let clean = description
                .as_str()
                .is_some_and(|text| text.bytes().all(allowed));
            ensure!(
                clean,
                "sent {sent}, expected a description of %x20-21 / %x23-5B / %x5D-7E, got {description}"
            );
        }
    }
    Ok(())
}

async fn errors_repeat_nothing(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let code = tested.code(&set.confidential).await?;
    let (_, refresh) = tested.user_tokens(&set.confidential).await?;
    let planted = [
        "planted-secret-1",
        "planted-scope-2",
        "planted-code-3",
        "planted-token-4",
        "planted-grant-5",
        "<planted>",
        "planted-password-6",
    ];
    let everything = [
        ("scope", planted[1]),
        ("code", planted[2]),
        ("refresh_token", planted[3]),
        ("device_code", planted[3]),
        ("code_verifier", planted[3]),
        ("resource", planted[5]),
        ("username", planted[5]),
        ("password", planted[6]),
        ("unknown", planted[5]),
    ];
    let wrong = basic(&set.confidential.id, planted[0]);
    let right = basic(&set.confidential.id, &set.confidential.secret);
    let foreign = basic(&set.code_only.id, &set.code_only.secret);
    let junk = format!("Junk {}", planted[0]);
    for grant in [
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "password",
        planted[4],
        "urn:ietf:params:oauth:grant-type:device_code",
    ] {
        for authorization in [&wrong, &right, &junk] {
            let form = [&everything[..], &[("grant_type", grant)]].concat();
            let answer = tested
                .post(&set.token, &[("Authorization", authorization)], &form)
                .await?;
            let encoded = authorization.split(' ').nth(1).unwrap_or_default();
            tells_nothing(&answer, planted.iter().copied().chain([encoded]))?;
        }
    }
    // Real ones, at a client they do not belong to.
    for form in [
        [("grant_type", "authorization_code"), ("code", &code)],
        [("grant_type", "refresh_token"), ("refresh_token", &refresh)],
    ] {
        let answer = tested
            .post(&set.token, &[("Authorization", &foreign)], &form)
            .await?;
        tells_nothing(&answer, [code.as_str(), &refresh, &set.code_only.secret])?;
    }
    Ok(())
}

fn tells_nothing<'a>(answer: &Answer, secrets: impl IntoIterator<Item = &'a str>) -> Outcome {
    let headers: String = answer
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let all = headers + &answer.text();
    ensure!(
        answer.status() >= 400,
        "sent planted values, expected a refusal, got {}",
        answer.status()
    );
    let shown = secrets.into_iter().position(|secret| all.contains(secret));
    ensure!(
        shown.is_none(),
        "sent planted values, expected none of them back, got number {shown:?}"
    );
    Ok(())
}

async fn expires_in(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let tokens = tested
        .tokens_as(&tested.set().confidential, &[GRANT])
        .await?;
    let token = member(&tokens, "access_token")?;
    let life = tokens["expires_in"].as_i64().unwrap_or_default();
    let fits = (1..=365 * 24 * 3600).contains(&life);
    ensure!(
        fits,
        "expected expires_in as an integer up to a year, got {}",
        tokens["expires_in"]
    );
    let seen = tested.introspect(token).await?;
    let span = seen["exp"]
        .as_i64()
        .zip(seen["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    ensure!(
        span == Some(life),
        "expected exp - iat to be expires_in, {life}, got {span:?}"
    );
    // A minute on either side, because the server's own clock goes on meanwhile.
    ensure!(
        life > 60,
        "expected a life of more than a minute to be measured, got {life}"
    );
    tested.control().advance(life - 60).await?;
    ensure!(
        tested.is_active(token).await?,
        "60 s before its end, expected an active token, got inactive"
    );
    tested.control().advance(61).await?;
    ensure!(
        !tested.is_active(token).await?,
        "after its end, expected an inactive token, got active"
    );
    Ok(())
}

async fn granted_scope(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for asked in [None, Some("read"), Some("write read"), Some("read read")] {
        let mut form = vec![GRANT];
        form.extend(asked.map(|scope| ("scope", scope)));
        let tokens = tested.tokens_as(client, &form).await?;
        let seen = tested.introspect(member(&tokens, "access_token")?).await?;
        let (real, said) = (words(&seen["scope"]), words(&tokens["scope"]));
        // Without the member it is what was asked for: nothing, if nothing was.
        let told = match tokens.get("scope") {
            Some(_) => said,
            None => words(&json!(asked)),
        };
        ensure!(
            told == real,
            "asked for {asked:?}, expected to be told what was granted, {real:?}, got {told:?}"
        );
    }
    Ok(())
}

fn words(scope: &Value) -> BTreeSet<String> {
    scope
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

async fn scope_outside_the_grammar(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for scope in [
        "read\nwrite",
        "read\twrite",
        "\"read\"",
        "re\\ad",
        "l\u{e4}sen",
        "read\u{a0}write",
        "\u{7f}",
    ] {
        let answer = tested
            .token_as(&tested.set().confidential, &[GRANT, ("scope", scope)])
            .await?;
        refused(
            &format!("the scope {scope:?}"),
            &answer,
            &[400],
            &["invalid_scope"],
        )?;
    }
    Ok(())
}
