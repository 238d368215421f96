//! When a token ends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    ErrorKind::Protocol, Limits, Token, Transport, TransportError, clock::ManualClock,
};
use serde_json::{Value, json};

use super::expect;
use crate::{Context, Failure, Need::StandardExpiry, Outcome, WatchedTransport, ensure};

/// Ten years in seconds: no lifetime is believed to be longer.
const LONGEST: u64 = 315_360_000;

/// A transport whose exchanges take a minute on the case's clock.
#[derive(Debug)]
struct Slow {
    inner: WatchedTransport,
    clock: ManualClock,
}

#[async_trait]
impl Transport for Slow {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let response = self.inner.send(request, limits).await;
        self.clock.advance(Duration::from_secs(60));
        response
    }
}

pub(super) async fn counted_from_the_request(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply_with("expires_in", json!(3600))])
        .await?;
    let slow = Slow {
        inner: cx.transport(),
        clock: cx.clock().clone(),
    };
    let client = cx
        .builder(server.base_url())?
        .shared_transport(Arc::new(slow))
        .build()?;
    let token = cx.ask(&client).await?;
    let left = cx.lifetime(&token);
    ensure!(
        left == Some(3540),
        "sent expires_in 3600 after a minute, expected 3540 s to be left, got {left:?}"
    );
    Ok(())
}

pub(super) async fn integer_absent_null(cx: Context) -> Outcome {
    lives(&cx, "7200", 7200).await?;
    let absent = expect::token(&cx, "no expires_in", cx.token_reply_without("expires_in")).await?;
    let null = expect::token(
        &cx,
        "expires_in null",
        cx.token_reply_with("expires_in", json!(null)),
    )
    .await?;
    let (absent, null) = (cx.lifetime(&absent), cx.lifetime(&null));
    ensure!(
        absent == null,
        "sent expires_in absent and null, expected the same, got {absent:?} and {null:?}"
    );
    if !cx.lacks(StandardExpiry) {
        ensure!(
            absent.is_none(),
            "sent no expires_in, expected an unknown lifetime, got {absent:?} s"
        );
    }
    Ok(())
}

pub(super) async fn digits_in_a_text(cx: Context) -> Outcome {
    for text in [r#""3600""#, r#"" 3600 ""#, r#""0003600""#] {
        lives(&cx, text, 3600).await?;
    }
    never_for_ever(
        &cx,
        ["3 600", "3,600", "+3600", "0xe10", "3600s", "３６００"].map(Value::from),
    )
    .await
}

pub(super) async fn fractions(cx: Context) -> Outcome {
    for (number, seconds) in [
        ("3600.0", 3600),
        ("3.6e3", 3600),
        ("3.6E+3", 3600),
        ("3599.7", 3599),
    ] {
        lives(&cx, number, seconds).await?;
    }
    Ok(())
}

pub(super) async fn no_number_of_seconds(cx: Context) -> Outcome {
    let values = [
        json!(-1),
        json!(-0.5),
        json!("-3600"),
        json!(true),
        json!({}),
        json!({"seconds": 3600}),
        json!([3600]),
        json!(""),
        json!("zzz"),
        json!("PT1H"),
        json!("Thu, 01 Jan 2026 01:00:00 GMT"),
        json!("2026-01-01T01:00:00Z"),
        json!("NaN"),
        json!("Infinity"),
        json!("3600abc"),
    ];
    never_for_ever(&cx, values).await?;
    for number in ["NaN", "Infinity", "-Infinity", "03600", "0x10"] {
        let sent = format!("expires_in {number}");
        expect::error_of(
            &cx,
            Protocol,
            &sent,
            cx.token_reply_raw("expires_in", number),
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn zero(cx: Context) -> Outcome {
    let token = expect::token(
        &cx,
        "expires_in 0",
        cx.token_reply_with("expires_in", json!(0)),
    )
    .await?;
    let left = cx.lifetime(&token);
    ensure!(
        left.is_some(),
        "sent expires_in 0, expected an end, got a token that never ends"
    );
    if !cx.lacks(StandardExpiry) {
        ensure!(
            token.is_expired(cx.now()),
            "sent expires_in 0, expected an ended token, got {left:?} s"
        );
    }
    Ok(())
}

pub(super) async fn too_large(cx: Context) -> Outcome {
    for number in [
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "1e30",
        "1000000000000000000000000000000",
        "1e308",
        "1e400",
        r#""99999999999999999999999999""#,
    ] {
        match cx.read(cx.token_reply_raw("expires_in", number)).await? {
            Ok(token) => {
                let left = cx.lifetime(&token);
                let sane = left.is_some_and(|left| left <= LONGEST);
                ensure!(
                    sane,
                    "sent expires_in {number}, expected at most {LONGEST} s, got {left:?}"
                );
                let stored = oauth_core::TokenSet::from_json(&token.to_json())?;
                ensure!(
                    stored == token,
                    "stored expires_in {number}, expected the same back, got {stored:?}"
                );
            }
            Err(error) => expect::is(&error, Protocol, &format!("expires_in {number}"))?,
        }
    }
    Ok(())
}

pub(super) async fn under_other_names(cx: Context) -> Outcome {
    let plain = expect::token(
        &cx,
        "a plain token",
        cx.token_reply("conformance-access-token"),
    )
    .await?;
    for name in ["expires", "expires_at", "expires_on", "ext_expires_in"] {
        for value in [json!(60), json!("2026-01-01T00:01:00Z"), json!({"a": 1})] {
            let sent = format!("{name} {value}");
            let token = expect::token(&cx, &sent, cx.token_reply_with(name, value.clone())).await?;
            let (got, had) = (token.expires_at(), plain.expires_at());
            ensure!(
                got == had,
                "sent {sent}, expected it to change no expiry, got {got:?} for {had:?}"
            );
            super::kept(&token, name, &value)?;
        }
    }
    Ok(())
}

/// Ends the case unless each value is a protocol error; a profile with a lifetime of its own may
/// put that in its place.
async fn never_for_ever(cx: &Context, values: impl IntoIterator<Item = Value>) -> Outcome {
    for value in values {
        let sent = format!("expires_in {value}");
        match cx.read(cx.token_reply_with("expires_in", value)).await? {
            Err(error) => expect::is(&error, Protocol, &sent)?,
            Ok(token) => {
                let left = cx.lifetime(&token);
                let own = cx.lacks(StandardExpiry) && left.is_some_and(|left| left <= 3600);
                ensure!(
                    own,
                    "sent {sent}, expected a protocol error, got a token with {left:?} s"
                );
            }
        }
    }
    Ok(())
}

/// Ends the case unless `expires_in` as written in `json` gives this lifetime.
async fn lives(cx: &Context, json: &str, seconds: u64) -> Result<(), Failure> {
    let sent = format!("expires_in {json}");
    let token = expect::token(cx, &sent, cx.token_reply_raw("expires_in", json)).await?;
    let got = cx.lifetime(&token);
    ensure!(
        got == Some(seconds),
        "sent {sent}, expected {seconds} s, got {got:?}"
    );
    Ok(())
}
