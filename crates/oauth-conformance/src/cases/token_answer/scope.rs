//! What a token is for.

use oauth_core::{ErrorKind::Protocol, Scopes, Token};
use serde_json::{Value, json};

use super::{expect, refused_as};
use crate::{Context, Failure, Outcome, ensure};

pub(super) async fn a_set(cx: Context) -> Outcome {
    let two = Scopes::new(["alpha", "beta"])?;
    for text in [
        "alpha beta",
        "beta alpha",
        "alpha  beta",
        " alpha beta ",
        "beta alpha beta alpha",
    ] {
        grants(&cx, json!(text), &two).await?;
    }
    Ok(())
}

pub(super) async fn other_than_requested(cx: Context) -> Outcome {
    let requested = cx.credentials().scopes;
    let narrower = Scopes::new(requested.iter().take(1))?;
    let wider = Scopes::new(requested.iter().chain(["conformance:more"]))?;
    for granted in [&narrower, &wider] {
        grants(&cx, json!(granted.to_string()), granted).await?;
    }
    let none_of_them = Scopes::new(["conformance:other"])?;
    grants(&cx, json!("conformance:other"), &none_of_them).await?;
    ensure!(
        !requested.is_subset(&narrower),
        "granted {narrower} of {requested}, expected a visible loss, got none"
    );
    Ok(())
}

pub(super) async fn absent(cx: Context) -> Outcome {
    let requested = cx.credentials().scopes;
    let token = expect::token(&cx, "no scope", cx.token_reply_without("scope")).await?;
    let got = token.scopes();
    ensure!(
        *got == requested,
        "sent no scope, expected what was requested ({requested}), got {got}"
    );
    Ok(())
}

pub(super) async fn empty(cx: Context) -> Outcome {
    for text in ["", " ", "   "] {
        grants(&cx, json!(text), &Scopes::empty()).await?;
    }
    Ok(())
}

pub(super) async fn of_another_type(cx: Context) -> Outcome {
    grants(&cx, json!(null), &cx.credentials().scopes).await?;
    grants(
        &cx,
        json!(["beta", "alpha", "beta"]),
        &Scopes::new(["alpha", "beta"])?,
    )
    .await?;
    grants(&cx, json!([]), &Scopes::empty()).await?;
    let values = [
        json!(7),
        json!(true),
        json!({"a": 1}),
        json!(["a", 7]),
        json!([["a"]]),
        json!("a\tb"),
        json!("a\nb"),
        json!("ä"),
    ];
    refused_as(&cx, "scope", values).await?;
    // No number of blanks or tokens is too much.
    let many: Vec<String> = (0..2000).map(|n| format!("s{n}")).collect();
    grants(&cx, json!(many.join("  ")), &Scopes::new(&many)?).await?;
    expect::error_of(
        &cx,
        Protocol,
        "a quote in scope",
        cx.token_reply_with("scope", json!("a\"b")),
    )
    .await?;
    Ok(())
}

pub(super) async fn with_a_comma(cx: Context) -> Outcome {
    grants(&cx, json!("alpha,beta"), &Scopes::new(["alpha,beta"])?).await
}

/// Ends the case unless `scope` grants exactly this.
async fn grants(cx: &Context, scope: Value, expected: &Scopes) -> Result<(), Failure> {
    let sent = format!("scope {scope}");
    let token = expect::token(cx, &sent, cx.token_reply_with("scope", scope)).await?;
    let got = token.scopes();
    ensure!(
        got == expected,
        "sent {sent}, expected {expected:?}, got {got:?}"
    );
    Ok(())
}
