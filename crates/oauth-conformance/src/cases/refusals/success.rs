//! Refusals that say 200.

use oauth_core::{
    ErrorCode,
    ErrorKind::{OAuth, Protocol},
};
use serde_json::json;

use super::expect;
use crate::{Context, Need::StandardErrors, Outcome, Reply, ensure};

pub(in crate::cases) async fn error_alone(cx: Context) -> Outcome {
    for code in [
        "invalid_grant",
        "invalid_client",
        "access_denied",
        "temporarily_unavailable",
        "x_of_tomorrow",
    ] {
        let body = json!({"error": code, "error_description": "no"});
        let sent = format!("{body} under 200");
        let error = expect::error_of(&cx, OAuth, &sent, Reply::json(200, &body)).await?;
        ensure!(
            error.code() == Some(&ErrorCode::new(code)),
            "sent {sent}, expected that code, got {:?}",
            error.code()
        );
    }
    // The target's own way of saying it is no token either.
    let (_, body) = cx.refusal_body("invalid_grant")?;
    expect::error(
        &cx,
        "the target's refusal under 200",
        Reply::new(200).body(body),
    )
    .await?;
    Ok(())
}

pub(in crate::cases) async fn error_beside_a_token(cx: Context) -> Outcome {
    for code in ["invalid_grant", "server_error", "Bad Request", " ", "0"] {
        let sent = format!("error {code:?} beside a token");
        let error = expect::error(&cx, &sent, cx.token_reply_with("error", json!(code))).await?;
        ensure!(
            matches!(error.kind(), OAuth | Protocol),
            "sent {sent}, expected OAuth or Protocol, got {:?}",
            error.kind()
        );
    }
    Ok(())
}

pub(in crate::cases) async fn error_in_another_shape(cx: Context) -> Outcome {
    for body in [
        json!({"errors": [{"errorType": "invalid_grant", "message": "no"}], "success": false}),
        json!({"errcode": 40029, "errmsg": "invalid code"}),
        json!({"status": "error", "message": "invalid_grant"}),
        json!({"error": {"code": 400, "message": "invalid_grant"}}),
        json!({"error": ["invalid_grant"]}),
        json!({"Message": "An error has occurred."}),
        json!({"fault": {"faultstring": "invalid_grant"}}),
    ] {
        let sent = format!("{body} under 200");
        let error = expect::error(&cx, &sent, Reply::json(200, &body)).await?;
        let translated = cx.lacks(StandardErrors) && error.kind() == OAuth;
        ensure!(
            error.kind() == Protocol || translated,
            "sent {sent}, expected Protocol, got {:?}",
            error.kind()
        );
    }
    Ok(())
}

pub(in crate::cases) async fn other_statuses(cx: Context) -> Outcome {
    for status in [201, 203] {
        expect::token(
            &cx,
            &format!("a token under {status}"),
            cx.token_reply("a").status(status),
        )
        .await?;
    }
    for status in [202, 204, 205] {
        expect::error_of(
            &cx,
            Protocol,
            &format!("{status} without a token"),
            Reply::new(status),
        )
        .await?;
    }
    let part = cx
        .token_reply("a")
        .status(206)
        .header("Content-Range", "bytes 0-99/200");
    expect::error_of(&cx, Protocol, "a token under 206", part).await?;
    Ok(())
}
