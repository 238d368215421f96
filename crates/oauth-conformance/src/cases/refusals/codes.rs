//! The code of a refusal.

use oauth_core::{
    ErrorCode,
    ErrorKind::{OAuth, Protocol},
};
use serde_json::{Value, json};

use super::expect;
use crate::{Context, Need::StandardErrors, Outcome, Reply, ensure};

/// Every code of the registry that a token endpoint, or one beside it, can answer with.
const REGISTERED: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "invalid_target",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "unsupported_token_type",
];

pub(in crate::cases) async fn registered(cx: Context) -> Outcome {
    let mut said = 0;
    for code in REGISTERED {
        let Some((status, body)) = cx.target().refusal(code) else {
            ensure!(
                cx.lacks(StandardErrors),
                "asked for a refusal {code}, expected the form of RFC 6749, got none"
            );
            continue;
        };
        let sent = format!("{body} under {status}");
        let error = expect::error_of(&cx, OAuth, &sent, json_reply(status, body)).await?;
        let got = error.code();
        let typed = got.is_some_and(|got| got.as_str() == *code && got.is_registered());
        ensure!(typed, "sent {sent}, expected {code}, got {got:?}");
        ensure!(
            error.status().is_some_and(|got| got == status),
            "sent {sent}, expected it, got {:?}",
            error.status()
        );
        said += 1;
    }
    ensure!(
        said > 0,
        "expected at least one code that the target can say, got none"
    );
    if cx.lacks(StandardErrors) {
        return Ok(());
    }
    let body = json!({"error": "x_of_tomorrow", "error_description": "d", "error_uri": "https://e.invalid/", "x": [1], "status": 400});
    let error = expect::error_of(&cx, OAuth, &body.to_string(), Reply::json(400, &body)).await?;
    let got = error.oauth_error();
    let kept = got.is_some_and(|got| {
        got.code() == &ErrorCode::Other("x_of_tomorrow".into())
            && got.description() == Some("d")
            && got.uri() == Some("https://e.invalid/")
            && got.extra().get("x") == Some(&json!([1]))
    });
    ensure!(kept, "sent {body}, expected every member kept, got {got:?}");
    Ok(())
}

pub(in crate::cases) async fn invalid_client(cx: Context) -> Outcome {
    let (own, body) = cx.refusal_body("invalid_client")?;
    let status = if cx.lacks(StandardErrors) { own } else { 401 };
    for challenge in [
        None,
        Some("Basic realm=\"x\""),
        Some("Bearer error=\"invalid_token\""),
        Some("="),
        Some(""),
    ] {
        let reply = json_reply(status, body.clone());
        let reply = match challenge {
            Some(challenge) => reply.header("WWW-Authenticate", challenge),
            None => reply,
        };
        let sent = format!("{body} under {status} with challenge {challenge:?}");
        let error = expect::error_of(&cx, OAuth, &sent, reply).await?;
        let got = error.code();
        ensure!(
            got == Some(&ErrorCode::InvalidClient),
            "sent {sent}, expected invalid_client, got {got:?}"
        );
        ensure!(
            !error.needs_reauthorization(),
            "sent {sent}, expected the session to be kept, got {:?}",
            error.recovery()
        );
    }
    Ok(())
}

pub(in crate::cases) async fn under_other_statuses(cx: Context) -> Outcome {
    let mut said = 0;
    for (code, expected) in [
        ("invalid_grant", ErrorCode::InvalidGrant),
        ("unauthorized_client", ErrorCode::UnauthorizedClient),
    ] {
        let Some((200 | 400, body)) = cx.target().refusal(code) else {
            // The provider cannot say it, or in a form that is tied to its status.
            continue;
        };
        for status in [401, 403, 404, 409, 422] {
            let sent = format!("{body} under {status}");
            let error =
                expect::error_of(&cx, OAuth, &sent, json_reply(status, body.clone())).await?;
            let got = error.code();
            ensure!(
                got == Some(&expected),
                "sent {sent}, expected {code}, got {got:?}"
            );
            said += 1;
        }
    }
    ensure!(
        said > 0,
        "expected a code that the target can say under any status, got none"
    );
    Ok(())
}

pub(in crate::cases) async fn under_a_wrong_label(cx: Context) -> Outcome {
    let (status, body) = cx.refusal_body("invalid_grant")?;
    let form = "error=invalid_grant&error_description=no+more";
    let problem = r#"{"type":"about:blank","title":"no","status":400,"error":"invalid_grant"}"#;
    let own = body.as_str();
    let mut said = vec![
        ("text/html", own),
        ("text/plain; charset=utf-8", own),
        ("", own),
    ];
    let mut silent = vec![(
        "application/problem+json",
        r#"{"type":"about:blank","title":"Bad Request","status":400}"#,
    )];
    if !cx.lacks(StandardErrors) {
        said.extend([
            ("application/problem+json", problem),
            ("application/x-www-form-urlencoded", form),
            ("text/plain", form),
        ]);
        silent.extend([
            ("application/x-www-form-urlencoded", "message=no"),
            ("text/html", "<a href=\"?error=invalid_grant\">"),
        ]);
    }
    for (label, body) in said {
        let sent = format!("{body} under {status} as {label:?}");
        let error = expect::error_of(&cx, OAuth, &sent, labelled(status, label, body)).await?;
        let got = error.code();
        ensure!(
            got == Some(&ErrorCode::InvalidGrant),
            "sent {sent}, expected invalid_grant, got {got:?}"
        );
    }
    for (label, body) in silent {
        let sent = format!("{body} under 400 as {label:?}");
        let error = expect::error(&cx, &sent, labelled(400, label, body)).await?;
        let translated = cx.lacks(StandardErrors) && error.kind() == OAuth;
        ensure!(
            error.kind() == Protocol || translated,
            "sent {sent}, expected Protocol, got {:?}",
            error.kind()
        );
        ensure!(
            !error.needs_reauthorization(),
            "sent {sent}, expected the session to be kept, got {:?}",
            error.recovery()
        );
    }
    Ok(())
}

pub(in crate::cases) async fn nearly_registered(cx: Context) -> Outcome {
    for code in [
        "INVALID_GRANT",
        "Invalid_Grant",
        "invalid_grant\n",
        "invalid_grant\r\nx",
        " invalid_grant",
        "invalid_grant\0",
    ] {
        let body = json!({ "error": code });
        let error =
            expect::error_of(&cx, OAuth, &body.to_string(), Reply::json(400, &body)).await?;
        let got = error.code().cloned();
        let other = got.as_ref().is_some_and(|got| {
            !got.is_registered()
                && *got != ErrorCode::InvalidGrant
                && !got.as_str().contains(char::is_control)
        });
        ensure!(
            other,
            "sent {body}, expected a code of no registry without control characters, got {got:?}"
        );
        ensure!(
            !error.needs_reauthorization(),
            "sent {body}, expected the session to be kept, got {:?}",
            error.recovery()
        );
    }
    Ok(())
}

pub(in crate::cases) async fn of_another_type(cx: Context) -> Outcome {
    let of_error: [Value; 7] = [
        json!(""),
        json!(null),
        json!(7),
        json!(["invalid_grant"]),
        json!(true),
        json!({"code": "invalid_grant"}),
        json!({}),
    ];
    let shapes = of_error
        .into_iter()
        .map(|value| json!({"error": value, "error_description": "no"}))
        .chain([
            json!({"errors": ["invalid_grant"]}),
            json!({"code": "invalid_grant", "reason": "no"}),
            json!({"error_code": "invalid_grant"}),
            json!({"Error": "invalid_grant"}),
            json!({"error_description": "invalid_grant"}),
            json!([{"error": "invalid_grant"}]),
            json!("invalid_grant"),
            json!({}),
        ]);
    for body in shapes {
        let error = expect::error(&cx, &body.to_string(), Reply::json(400, &body)).await?;
        let translated = cx.lacks(StandardErrors) && error.kind() == OAuth;
        ensure!(
            error.kind() == Protocol || translated,
            "sent {body}, expected Protocol, got {:?}: {error}",
            error.kind()
        );
        ensure!(
            !error.needs_reauthorization(),
            "sent {body}, expected the session to be kept, got {:?}",
            error.recovery()
        );
    }
    Ok(())
}

fn json_reply(status: u16, body: String) -> Reply {
    labelled(status, "application/json", &body)
}

fn labelled(status: u16, media_type: &str, body: &str) -> Reply {
    let reply = Reply::new(status).body(body);
    if media_type.is_empty() {
        reply
    } else {
        reply.header("Content-Type", media_type)
    }
}
