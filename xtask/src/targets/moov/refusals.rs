//! Rows about how Moov refuses.

use std::{error::Error as _, time::Duration};

use moov::{BackoffStrategy, Error, ErrorKind, RetryConfig, Scope};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Reply, cases, ensure};
use oauth_core::{RefreshToken, Scopes};

use super::{ORIGIN, ask, builder, client, failed, refused};

pub(super) const CASES: &[Case] = cases! {
    "MV-05" [Need::Counterpart] => texts_fields_and_nothing,
    "MV-06" [Need::Counterpart] => transient_without_a_body,
    "MV-12" [] => prose_is_kept,
};

/// A 422 has a message for each field of the request and no `error`; a 401 and a 403 have no body.
async fn texts_fields_and_nothing(cx: Context) -> Outcome {
    let said = [("scope", "MESSAGE one"), ("refresh_token", "MESSAGE two")];
    for (body, expected) in [
        (
            r#"{"scope":"MESSAGE one","refresh_token":"MESSAGE two"}"#,
            &said[..],
        ),
        (r#"{"scope":"MESSAGE one"}"#, &said[..1]),
        (
            r#"{"profile":{"business":{"taxID":{"ein":{"number":"MESSAGE ein"}}}},"tags":["MESSAGE tag"]}"#,
            &[
                ("profile.business.taxID.ein.number", "MESSAGE ein"),
                ("tags.0", "MESSAGE tag"),
            ],
        ),
    ] {
        let error = answered(&cx, Reply::new(422).body(body)).await?;
        is(&error, ErrorKind::AuthTokenRequestError, 422, body)?;
        for (name, message) in expected {
            let got = error.field(name);
            ensure!(
                got == Some(*message),
                "422 {body}: expected {name} to say {message}, got {got:?}"
            );
        }
        let count = error.fields().count();
        ensure!(
            count == expected.len(),
            "422 {body}: expected {} fields, got {count}",
            expected.len()
        );
        let printed = printed(&error);
        ensure!(
            !printed.contains("MESSAGE"),
            "422 {body}: expected no message in what is printed, got {printed}"
        );
    }
    let error = answered(&cx, Reply::new(400).body(r#"{"error":"invalid_request"}"#)).await?;
    is(&error, ErrorKind::GenericError, 400, "invalid_request")?;
    ensure!(
        error.message() == Some("invalid_request"),
        "400 with an error: expected its text, got {:?}",
        error.message()
    );
    for status in [401, 403] {
        let error = answered(&cx, Reply::new(status)).await?;
        is(&error, ErrorKind::ApiError, status, "no body")?;
        let recovery = error.recovery();
        ensure!(
            recovery == oauth_core::Recovery::FixConfiguration && error.message().is_none(),
            "{status} without a body: expected the configuration to mend, got {recovery:?}"
        );
    }

    let counterpart = cx.counterpart().await?;
    let at_emulator = client(&cx, counterpart.base_url())?;
    let unknown = Scopes::parse("/accounts.fly")?;
    let error = refused(
        "an unknown scope",
        at_emulator.client_credentials(unknown).await,
    )?;
    is(
        &error,
        ErrorKind::AuthTokenRequestError,
        422,
        "an unknown scope",
    )?;
    ensure!(
        error.field("scope").is_some() && error.field("refresh_token").is_none(),
        "an unknown scope: expected it to be the scope, got {error}"
    );
    let dead = at_emulator
        .refresh(&RefreshToken::new("dead-refresh-token")?)
        .await;
    let error = refused("an unknown refresh token", dead)?;
    is(
        &error,
        ErrorKind::AuthTokenRequestError,
        422,
        "an unknown refresh token",
    )?;
    ensure!(
        error.field("refresh_token").is_some() && !printed(&error).contains("dead-refresh-token"),
        "an unknown refresh token: expected it named but not shown, got {error}"
    );
    let wrong = moov::Client::builder("demo", "WRONG-SECRET")
        .base_url(counterpart.base_url())
        .origin(ORIGIN)
        .build()
        .map_err(failed)?;
    let error = refused(
        "a wrong key pair",
        wrong.client_credentials(Scope::ping_read()).await,
    )?;
    is(&error, ErrorKind::ApiError, 401, "a wrong key pair")
}

/// 429, 500 and 504 come without a body. How long to wait has been in several headers; every
/// answer has a request id. Nothing is sent again unless it is asked for.
async fn transient_without_a_body(cx: Context) -> Outcome {
    for status in RetryConfig::STATUS_CODES {
        let reply = Reply::new(status).header("X-Request-ID", "3f2504e0-4f89");
        let server = cx.scripted([reply, cx.token_reply("a")]).await?;
        let asked = ask(&cx, server.base_url(), Scope::ping_read()).await?;
        let error = refused("an empty answer", asked)?;
        is(&error, ErrorKind::ApiError, status, "no body")?;
        let (core, id) = (error.core(), error.request_id());
        ensure!(
            core.is_transient() && !core.needs_reauthorization() && id == Some("3f2504e0-4f89"),
            "{status} without a body: expected it transient with its request id, got {:?} and {id:?}",
            core.recovery()
        );
        let sent = server.received().len();
        ensure!(
            sent == 1,
            "{status} without retries: expected one request, got {sent}"
        );
    }
    // The case's clock shows 2026-01-01T00:00:00Z.
    for (name, value, millis) in [
        ("Retry-After", "3", Some(3000)),
        ("Retry-After", "1.5", Some(1500)),
        ("Retry-After", "Thu, 01 Jan 2026 00:00:05 GMT", Some(5000)),
        ("Retry-After-Ms", "2500", Some(2500)),
        ("X-Retry-In", "250", Some(250)),
        ("X-Retry-In", "1.5s", Some(1500)),
        ("Retry-After", "99999999999", Some(86_400_000)),
        ("X-Retry-In", "99999999999999999999", Some(86_400_000)),
        ("Retry-After", "soon", None),
        ("X-Retry-In", "-5", None),
    ] {
        let error = answered(&cx, Reply::new(429).header(name, value)).await?;
        let (got, expected) = (error.retry_after(), millis.map(Duration::from_millis));
        ensure!(
            got == expected,
            "429 with {name}: {value}: expected to wait {expected:?}, got {got:?}"
        );
    }

    let retries = RetryConfig::backoff(BackoffStrategy::default().with_jitter_ms(0));
    let limited = Reply::new(429).header("X-Retry-In", "2500");
    let server = cx
        .scripted([limited, Reply::new(504), cx.token_reply("a")])
        .await?;
    let patient = builder(&cx, server.base_url())
        .origin(ORIGIN)
        .retry(retries.clone());
    let patient = patient.build().map_err(failed)?;
    patient
        .client_credentials(Scope::ping_read())
        .await
        .map_err(failed)?;
    let slept = cx.clock().sleeps();
    let expected = [2500, 750].map(Duration::from_millis);
    ensure!(
        slept == expected,
        "429 with a wait, then 504, with retries: expected the waits {expected:?}, got {slept:?}"
    );

    let counterpart = cx.counterpart().await?;
    let limit = serde_json::json!({"rate_limit": 0});
    counterpart.control().post("switches", &limit).await?;
    let asked = ask(&cx, counterpart.base_url(), Scope::ping_read()).await?;
    let error = refused("a call over the limit", asked)?;
    is(&error, ErrorKind::ApiError, 429, "a call over the limit")?;
    ensure!(
        error.core().is_transient() && error.request_id().is_some(),
        "a call over the limit: expected it transient with its request id, got {:?}",
        error.request_id()
    );
    Ok(())
}

/// The `error` of a 400 is a sentence as often as a code.
async fn prose_is_kept(cx: Context) -> Outcome {
    for (text, kept) in [
        (
            "X-Idempotency-Key HTTP header must be a valid UUID",
            "X-Idempotency-Key HTTP header must be a valid UUID",
        ),
        ("two\r\nlines\u{1b}[31m", "two  lines [31m"),
        ("Invalid_Grant, they say", "Invalid_Grant, they say"),
    ] {
        let body = serde_json::json!({ "error": text }).to_string();
        let error = answered(&cx, Reply::new(400).body(body)).await?;
        is(&error, ErrorKind::GenericError, 400, text)?;
        let got = error.message();
        ensure!(
            got == Some(kept),
            "400 {text:?}: expected the text {kept:?}, got {got:?}"
        );
        let code = error.core().code();
        ensure!(
            code.is_some_and(|code| !code.is_registered()),
            "400 {text:?}: expected no registered code, got {code:?}"
        );
        let core = error.core();
        ensure!(
            !core.is_transient() && !core.needs_reauthorization(),
            "400 {text:?}: expected neither a retry nor a new authorization, got {:?}",
            core.recovery()
        );
    }
    let long = "x".repeat(100_000);
    let body = serde_json::json!({ "error": long }).to_string();
    let error = answered(&cx, Reply::new(400).body(body)).await?;
    let length = error.message().unwrap_or_default().len();
    ensure!(
        (1..=4096).contains(&length),
        "400 with 100 kB of prose: expected it cut, got {length} bytes"
    );
    Ok(())
}

/// What the client makes of one answer to a token request.
async fn answered(cx: &Context, reply: Reply) -> Result<Error, Failure> {
    let server = cx.scripted([reply]).await?;
    let asked = ask(cx, server.base_url(), Scope::accounts_read()).await?;
    refused("a refusal", asked)
}

pub(super) fn is(error: &Error, kind: ErrorKind, status: u16, sent: &str) -> Outcome {
    let got = (error.kind(), error.status().map(|status| status.as_u16()));
    ensure!(
        got == (kind, Some(status)),
        "{status} {sent}: expected {kind:?}, got {got:?}: {error}"
    );
    Ok(())
}

/// Everything that a log could show of an error.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}
