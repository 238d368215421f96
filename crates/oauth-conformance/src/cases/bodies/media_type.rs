//! What a body says it is.

use oauth_core::ErrorKind::{OAuth, Protocol};
use serde_json::Value;

use super::{answer, expect, marks, profile};
use crate::{Context, Outcome, Reply, ensure};

pub(in crate::cases) async fn json_in_any_spelling(cx: Context) -> Outcome {
    expect::token(&cx, "no Content-Type", Reply::new(200).body(answer(&cx))).await?;
    for name in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=\"UTF-8\"; profile=\"a;b\"",
        "application/json ; x=y",
        "application/json;",
    ] {
        expect::token(&cx, name, labelled(&cx, name)).await?;
        let server = cx.scripted([labelled(&cx, name)]).await?;
        let strict = profile::client(&cx, server.base_url(), |reader| {
            reader.json_media_type_only(true)
        })?;
        let result = cx.ask(&strict).await;
        ensure!(
            result.is_ok(),
            "sent {name:?} to a strict profile, expected a token, got {result:?}"
        );
    }
    Ok(())
}

pub(in crate::cases) async fn json_under_another_name(cx: Context) -> Outcome {
    for name in [
        "text/html",
        "text/plain; charset=utf-8",
        "application/octet-stream",
        "text/json",
    ] {
        expect::token(&cx, name, labelled(&cx, name)).await?;
    }
    for name in [
        "text/html",
        "text/plain",
        "application/jsonp",
        "application/json-seq",
        "text/json",
        "json",
        "*/*",
    ] {
        let server = cx.scripted([labelled(&cx, name)]).await?;
        let strict = profile::client(&cx, server.base_url(), |reader| {
            reader.json_media_type_only(true)
        })?;
        match cx.ask(&strict).await {
            Err(error) => expect::is(&error, Protocol, name)?,
            Ok(_) => ensure!(
                false,
                "sent {name:?} to a strict profile, expected a refusal, got a token"
            ),
        }
    }
    // JSONP is a program, whatever it is called.
    let jsonp = Reply::new(200)
        .header("Content-Type", "application/jsonp")
        .body(format!("f({})", answer(&cx)));
    expect::error_of(&cx, Protocol, "JSONP", jsonp).await?;
    Ok(())
}

pub(in crate::cases) async fn form(cx: Context) -> Outcome {
    let form = form_of(&cx.target().token_answer("conformance-access-token"));
    let reply = || {
        Reply::new(200)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.clone())
    };
    expect::error_of(&cx, Protocol, &form, reply()).await?;
    let server = cx.scripted([reply()]).await?;
    let client = profile::client(&cx, server.base_url(), |reader| {
        reader.form(true).default_token_type("Bearer")
    })?;
    let result = cx.ask(&client).await;
    ensure!(
        result.is_ok(),
        "sent {form} to a profile of forms, expected a token, got {result:?}"
    );
    for body in [
        format!("{form}&access_token=other"),
        format!("{form} "),
        format!("<p>{form}"),
        String::new(),
    ] {
        let server = cx.scripted([reply().body(body.clone())]).await?;
        let client = profile::client(&cx, server.base_url(), |reader| {
            reader.form(true).default_token_type("Bearer")
        })?;
        let kind = cx.ask(&client).await.err().map(|error| error.kind());
        ensure!(
            kind == Some(Protocol),
            "sent {body:?} to a profile of forms, expected Protocol, got {kind:?}"
        );
    }
    Ok(())
}

pub(in crate::cases) async fn error_as_a_form(cx: Context) -> Outcome {
    let reply = || {
        let body = "error=invalid_grant&error_description=gone";
        Reply::new(200)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    };
    expect::error_of(&cx, Protocol, "a form with error under 200", reply()).await?;
    let server = cx.scripted([reply()]).await?;
    let client = profile::client(&cx, server.base_url(), |reader| reader.form(true))?;
    match cx.ask(&client).await {
        Err(error) => {
            expect::is(
                &error,
                OAuth,
                "a form with error under 200 to a profile of forms",
            )?;
            let code = error.code();
            ensure!(
                error.needs_reauthorization(),
                "sent error=invalid_grant, expected that code, got {code:?}"
            );
        }
        Ok(_) => ensure!(
            false,
            "sent a form with error under 200, expected an OAuth error, got a token"
        ),
    }
    Ok(())
}

pub(in crate::cases) async fn no_json(cx: Context) -> Outcome {
    for (name, body) in [
        (
            "text/html",
            "<!DOCTYPE html><title>MARKhtml7Q2x</title>".as_bytes(),
        ),
        ("application/xml", b"<token>MARKhtml7Q2x</token>"),
        ("image/png", b"\x89PNG\r\n\x1a\nMARKhtml7Q2x"),
        ("text/plain", b"access_token: MARKhtml7Q2x"),
    ] {
        let error = expect::error_of(
            &cx,
            Protocol,
            name,
            Reply::new(200).header("Content-Type", name).body(body),
        )
        .await?;
        let (status, text) = (
            error.status().map(|status| status.as_u16()),
            error.to_string(),
        );
        ensure!(
            status == Some(200),
            "sent {name}, expected status 200 in the error, got {status:?}"
        );
        for part in [name, "200", &body.len().to_string()] {
            ensure!(
                text.contains(part),
                "sent {} bytes of {name}, expected {part} in the error, got {text}",
                body.len()
            );
        }
        marks::unseen(&error, &["MARKhtml7Q2x"], name)?;
    }
    // A media type is the server's word too: cleaned, cut, never the way for a long text.
    let long = format!("text/{}", "x".repeat(4000));
    let error = expect::error_of(
        &cx,
        Protocol,
        "a long media type",
        Reply::new(200).header("Content-Type", &long).body("x"),
    )
    .await?;
    let length = error.to_string().len();
    ensure!(
        length < 400,
        "sent a media type of 4000 bytes, expected a short error, got {length} bytes"
    );
    Ok(())
}

/// The target's token answer under another media type.
fn labelled(cx: &Context, media_type: &str) -> Reply {
    Reply::new(200)
        .header("Content-Type", media_type)
        .body(answer(cx))
}

fn form_of(members: &Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members.as_object().into_iter().flatten() {
        // A list is one text in a form: its members, separated by spaces (RFC 6749 §3.3).
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                items.join(" ")
            }
            value => value.to_string(),
        };
        form.append_pair(name, &text);
    }
    form.finish()
}
