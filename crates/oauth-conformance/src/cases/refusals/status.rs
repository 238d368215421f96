//! What a status alone says, and how long it asks to wait.

use std::time::{Duration, SystemTime};

use oauth_core::{ErrorKind::Protocol, RetryPolicy};

use super::expect;
use crate::{Context, Failure, Need::StandardErrors, Outcome, Reply, ensure};

pub(in crate::cases) async fn without_a_word(cx: Context) -> Outcome {
    let html = |body: &str| {
        Reply::new(400)
            .header("Content-Type", "text/html")
            .body(body)
    };
    let replies = [
        ("no body", Reply::new(400)),
        (
            "a login page",
            html("<!DOCTYPE html><form action=/login><input name=password></form>"),
        ),
        (
            "a firewall's page",
            html("<html><body>Request blocked. ID: 7 error: invalid_grant</body></html>"),
        ),
        (
            "text",
            Reply::new(400)
                .header("Content-Type", "text/plain")
                .body("invalid_grant"),
        ),
        (
            "cut JSON",
            Reply::new(400)
                .header("Content-Type", "application/json")
                .body("{\"error\":\"invalid_grant\""),
        ),
        ("bytes", Reply::new(400).body(b"\xff\xfe\0".to_vec())),
    ];
    for (what, reply) in replies {
        for status in [400, 401, 403, 404, 405, 410, 413, 415, 422] {
            let sent = format!("{what} under {status}");
            let server = cx.scripted([reply.clone().status(status)]).await?;
            let client = cx
                .builder(server.base_url())?
                .retry(RetryPolicy::default())
                .build()?;
            let result = cx.ask(&client).await;
            let error = result.err().ok_or_else(|| {
                Failure::new(format!("sent {sent}, expected an error, got a token"))
            })?;
            let got = error.status().map(|status| status.as_u16());
            ensure!(
                got == Some(status),
                "sent {sent}, expected the status in the error, got {got:?}"
            );
            if !cx.lacks(StandardErrors) {
                expect::is(&error, Protocol, &sent)?;
            }
            // A profile may know what its server means by a status without a body.
            let known = cx.lacks(StandardErrors) && what == "no body";
            let kept = !error.is_transient() && (known || !error.needs_reauthorization());
            ensure!(
                kept,
                "sent {sent}, expected no retry and the session kept, got {:?}",
                error.recovery()
            );
            let requests = server.received().len();
            ensure!(
                requests == 1,
                "sent {sent}, expected one request, got {requests}"
            );
        }
    }
    Ok(())
}

pub(in crate::cases) async fn with_a_token(cx: Context) -> Outcome {
    for status in [400, 401, 403, 404, 408, 409, 418, 422, 425, 429, 451, 499] {
        let error = expect::error(
            &cx,
            &format!("a token under {status}"),
            cx.token_reply("a").status(status),
        )
        .await?;
        let got = error.status().map(|status| status.as_u16());
        ensure!(
            got == Some(status),
            "sent a token under {status}, expected the status in the error, got {got:?}"
        );
    }
    Ok(())
}

pub(in crate::cases) async fn come_back_later(cx: Context) -> Outcome {
    for status in [408, 425] {
        for body in ["", "{}", "<html>", "{\"error\":\"invalid_grant\"}"] {
            let sent = format!("{status} with {body:?}");
            let error = expect::error(&cx, &sent, Reply::new(status).body(body)).await?;
            expect::is_transient(&error, &sent)?;
        }
    }
    Ok(())
}

pub(in crate::cases) async fn too_many_requests(cx: Context) -> Outcome {
    let error = expect::error(&cx, "429", Reply::new(429)).await?;
    expect::is_transient(&error, "429")?;
    for (text, seconds) in [("120", 120), ("1", 1), ("0", 0), ("0030", 30)] {
        asks_to_wait(&cx, 429, text, Some(seconds)).await?;
    }
    Ok(())
}

/// RFC 9110 §5.6.7 writes the same moment in its three forms.
pub(in crate::cases) async fn retry_after_dates(cx: Context) -> Outcome {
    let forms = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ];
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (now, seconds) in [(120, 120), (1, 1), (0, 0)]
        .map(|(before, wait)| (moment - Duration::from_secs(before), wait))
    {
        cx.clock().set(now);
        for form in forms {
            asks_to_wait(&cx, 429, form, Some(seconds)).await?;
        }
    }
    cx.clock().set(moment + Duration::from_secs(60));
    for form in forms {
        asks_to_wait(&cx, 429, form, Some(0)).await?;
    }
    Ok(())
}

pub(in crate::cases) async fn retry_after_nonsense(cx: Context) -> Outcome {
    for text in [
        "-1",
        "soon",
        "",
        " ",
        "1,5",
        "0x10",
        "1e3",
        "12 s",
        "+5",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "NaN",
    ] {
        asks_to_wait(&cx, 429, text, None).await?;
    }
    // A profile may know that its server means fractions.
    let error = expect::error(
        &cx,
        "Retry-After 1.5",
        Reply::new(429).header("Retry-After", "1.5"),
    )
    .await?;
    expect::is_transient(&error, "Retry-After 1.5")?;
    let got = error.retry_after();
    let sane = got.is_none_or(|wait| wait == Duration::from_millis(1500));
    ensure!(
        sane,
        "sent Retry-After 1.5, expected nothing or 1.5 s, got {got:?}"
    );
    Ok(())
}

pub(in crate::cases) async fn retry_after_capped(cx: Context) -> Outcome {
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for text in [
        "99999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "4294967296",
        far,
    ] {
        let sent = format!("Retry-After {text}");
        let error = expect::error(&cx, &sent, Reply::new(429).header("Retry-After", text)).await?;
        expect::is_transient(&error, &sent)?;
        let got = error.retry_after();
        let capped = got.is_some_and(|wait| wait <= Duration::from_secs(86_400));
        ensure!(capped, "sent {sent}, expected at most a day, got {got:?}");
    }
    // A client that tries again does not wait that long, it says so.
    let server = cx
        .scripted([Reply::new(429).header("Retry-After", "99999999999999999999")])
        .await?;
    let client = cx
        .builder(server.base_url())?
        .retry(RetryPolicy::default())
        .build()?;
    let result = cx.ask(&client).await;
    let (requests, sleeps) = (server.received().len(), cx.clock().sleeps());
    ensure!(
        result.is_err() && requests == 1 && sleeps.is_empty(),
        "sent Retry-After of 20 digits, expected an error at once, got {requests} requests and {sleeps:?}"
    );
    Ok(())
}

pub(in crate::cases) async fn too_many_requests_with_a_code(cx: Context) -> Outcome {
    for code in [
        "invalid_grant",
        "invalid_client",
        "access_denied",
        "slow_down",
    ] {
        let Some((_, body)) = cx.target().refusal(code) else {
            continue;
        };
        let sent = format!("{body} under 429");
        let reply = Reply::new(429)
            .header("Content-Type", "application/json")
            .header("Retry-After", "7")
            .body(body);
        let error = expect::error(&cx, &sent, reply).await?;
        expect::is_transient(&error, &sent)?;
        let wait = error.retry_after();
        ensure!(
            wait == Some(Duration::from_secs(7)),
            "sent {sent} and Retry-After 7, expected 7 s, got {wait:?}"
        );
    }
    let body = r#"{"error":"invalid_grant"}"#;
    let error = expect::error(
        &cx,
        body,
        Reply::new(429)
            .header("Content-Type", "application/json")
            .body(body),
    )
    .await?;
    expect::is_transient(&error, body)
}

/// Ends the case unless `status` with this `Retry-After` is transient and asks to wait so long.
pub(in crate::cases) async fn asks_to_wait(
    cx: &Context,
    status: u16,
    retry_after: &str,
    seconds: Option<u64>,
) -> Outcome {
    let sent = format!("{status} with Retry-After {retry_after:?}");
    let error = expect::error(
        cx,
        &sent,
        Reply::new(status).header("Retry-After", retry_after),
    )
    .await?;
    expect::is_transient(&error, &sent)?;
    let (got, expected) = (error.retry_after(), seconds.map(Duration::from_secs));
    ensure!(
        got == expected,
        "sent {sent}, expected {expected:?}, got {got:?}"
    );
    Ok(())
}
