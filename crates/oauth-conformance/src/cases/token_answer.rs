//! B1: the members of a token answer.

mod expiry;
mod scope;

use http::{HeaderMap, header};
use oauth_core::{
    AccessToken, Capability::RefreshToken, ErrorKind::Protocol, Token, TokenSet, TokenType, grant,
};
use serde_json::{Value, json};

use super::expect;
use crate::{
    Case, Context, Failure,
    Need::{AnyGrant, Can, StandardScope, StandardTokenType},
    Outcome, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-01" [AnyGrant] => a_token,
    "RSP-02" [AnyGrant] => expiry::counted_from_the_request,
    "RSP-03" [AnyGrant] => access_token_of_another_type,
    "RSP-04" [AnyGrant] => access_token_unfit_for_a_header,
    "RSP-05" [AnyGrant] => members_elsewhere,
    "RSP-06" [AnyGrant] => headers_beside_a_success,
    "RSP-07" [AnyGrant] => unknown_token_type,
    "RSP-08" [AnyGrant] => token_type_of_another_type,
    "RSP-09" [AnyGrant] => bearer_in_any_case,
    "RSP-10" [AnyGrant] => no_token_type,
    "RSP-11" [AnyGrant] => expiry::integer_absent_null,
    "RSP-12" [AnyGrant] => expiry::digits_in_a_text,
    "RSP-13" [AnyGrant] => expiry::fractions,
    "RSP-14" [AnyGrant] => expiry::no_number_of_seconds,
    "RSP-15" [AnyGrant] => expiry::zero,
    "RSP-16" [AnyGrant] => expiry::too_large,
    "RSP-17" [AnyGrant] => expiry::under_other_names,
    "RSP-18" [AnyGrant] => unknown_members,
    "RSP-20" [AnyGrant] => scope::a_set,
    "RSP-21" [AnyGrant] => scope::other_than_requested,
    "RSP-22" [AnyGrant] => scope::absent,
    "RSP-23" [AnyGrant] => scope::empty,
    "RSP-24" [AnyGrant] => scope::of_another_type,
    "RSP-25" [AnyGrant, StandardScope] => scope::with_a_comma,
    "RSP-26" [AnyGrant] => refresh_token_of_another_type,
    "RSP-27" [AnyGrant, Can(RefreshToken)] => long_tokens,
    "RSP-28" [AnyGrant] => id_token,
    "RSP-29" [AnyGrant] => later_extensions,
};

async fn a_token(cx: Context) -> Outcome {
    let example = cx.token_reply("2YotnFZFEjr1zCsicMWpAA");
    let token = expect::token(&cx, "the access token of RFC 6749 section 5.1", example).await?;
    let got = token.access_token().expose_secret();
    ensure!(
        got == "2YotnFZFEjr1zCsicMWpAA",
        "sent the RFC's example, expected its access token, got another"
    );
    Ok(())
}

async fn access_token_of_another_type(cx: Context) -> Outcome {
    expect::error_of(
        &cx,
        Protocol,
        "no access_token",
        cx.token_reply_without("access_token"),
    )
    .await?;
    let values = [
        json!(null),
        json!(""),
        json!(7),
        json!(["a"]),
        json!({"a": 1}),
        json!(true),
    ];
    refused_as(&cx, "access_token", values).await
}

async fn access_token_unfit_for_a_header(cx: Context) -> Outcome {
    let texts = [
        "a\r\nX-Injected: 1",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\u{7f}b",
        "a\tb",
        "tökén",
        "a\u{200b}b",
        "\u{1f600}",
    ];
    refused_as(&cx, "access_token", texts.map(Value::from)).await?;
    for text in texts {
        ensure!(
            AccessToken::new(text).is_err(),
            "made a token of {text:?}, expected a refusal, got a token"
        );
    }
    Ok(())
}

async fn members_elsewhere(cx: Context) -> Outcome {
    let members = cx.target().token_answer("conformance-access-token");
    let renamed = |from: &str, to: &str| {
        let mut members = members.clone();
        let value = members
            .as_object_mut()
            .and_then(|members| members.remove(from));
        members[to] = value.unwrap_or_default();
        members
    };
    for body in [
        renamed("access_token", "accessToken"),
        renamed("access_token", "ACCESS_TOKEN"),
        renamed("access_token", "Access_Token"),
        renamed("access_token", "access-token"),
        renamed("access_token", " access_token"),
        renamed("access_token", "token"),
        json!({ "data": members }),
        json!({ "error": null, "token": members }),
        json!([members]),
    ] {
        expect::error_of(&cx, Protocol, &body.to_string(), Reply::json(200, &body)).await?;
    }
    Ok(())
}

async fn headers_beside_a_success(cx: Context) -> Outcome {
    let plain = expect::token(&cx, "a plain token", cx.token_reply("a")).await?;
    let reply = cx
        .token_reply("a")
        .header("WWW-Authenticate", r#"Bearer error="invalid_token""#)
        .header("WWW-Authenticate", "Basic realm=\"x\"")
        .header("Set-Cookie", "session=conformance; Path=/")
        .header("Cache-Control", "public, max-age=31536000")
        .header("Expires", "Thu, 01 Jan 2099 00:00:00 GMT")
        .header("ETag", "\"1\"")
        .header("Retry-After", "3600")
        .header("Location", "https://elsewhere.invalid/");
    let server = cx.scripted([reply]).await?;
    let client = cx.client(server.base_url())?;
    for _ in 0..2 {
        let token = cx.ask(&client).await?;
        ensure!(
            token == plain,
            "sent a token beside other headers, expected the same token, got {token:?}"
        );
    }
    let received = server.received();
    ensure!(
        received.len() == 2,
        "asked twice, expected two requests and no cache, got {}",
        received.len()
    );
    for name in ["cookie", "if-none-match", "if-modified-since"] {
        let got = received[1].header(name);
        ensure!(
            got.is_none(),
            "sent Set-Cookie and an ETag, expected no {name} afterwards, got {got:?}"
        );
    }
    Ok(())
}

async fn unknown_token_type(cx: Context) -> Outcome {
    let types = [
        "mac",
        "N_A",
        "DPoP",
        "Application Access Token",
        "BearerX",
        " Bearer",
        "Bearer ",
        "Bearer\r\n",
    ];
    refused_as(&cx, "token_type", types.map(Value::from)).await
}

async fn token_type_of_another_type(cx: Context) -> Outcome {
    let values = [
        json!(7),
        json!(true),
        json!(["Bearer"]),
        json!({"type": "Bearer"}),
    ];
    refused_as(&cx, "token_type", values).await
}

async fn bearer_in_any_case(cx: Context) -> Outcome {
    for name in ["bearer", "Bearer", "BEARER", "bEaReR"] {
        let token =
            expect::token(&cx, name, cx.token_reply_with("token_type", json!(name))).await?;
        let mut headers = HeaderMap::new();
        cx.target()
            .provider("http://127.0.0.1:9")?
            .authorize_request(token.access_token(), &mut headers)?;
        let got = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        ensure!(
            got == Some("Bearer conformance-access-token"),
            "sent token_type {name}, expected `Bearer conformance-access-token` in a request, got {got:?}"
        );
    }
    Ok(())
}

async fn no_token_type(cx: Context) -> Outcome {
    if cx.lacks(StandardTokenType) {
        for reply in [
            cx.token_reply_without("token_type"),
            cx.token_reply_with("token_type", json!(null)),
            cx.token_reply_with("token_type", json!("")),
        ] {
            let token = expect::token(&cx, "no token_type", reply).await?;
            let got = token.token_type();
            ensure!(
                got == TokenType::Bearer,
                "sent no token_type, expected the profile's own, Bearer, got {got:?}"
            );
        }
        return Ok(());
    }
    expect::error_of(
        &cx,
        Protocol,
        "no token_type",
        cx.token_reply_without("token_type"),
    )
    .await?;
    refused_as(&cx, "token_type", [json!(null), json!("")]).await
}

async fn unknown_members(cx: Context) -> Outcome {
    for value in [
        json!("text"),
        json!(7),
        json!(1.5),
        json!(-3),
        json!(u64::MAX),
        json!(true),
        json!(null),
        json!([1, [2]]),
        json!({"a": {"b": ["c"]}}),
    ] {
        let token = expect::token(
            &cx,
            &format!("x_unknown {value}"),
            cx.token_reply_with("x_unknown", value.clone()),
        )
        .await?;
        kept(&token, "x_unknown", &value)?;
        let again = TokenSet::from_json(&token.to_json())?;
        ensure!(
            again == token,
            "stored a token with x_unknown {value}, expected the same back, got {again:?}"
        );
        kept(&again, "x_unknown", &value)?;
    }
    Ok(())
}

async fn refresh_token_of_another_type(cx: Context) -> Outcome {
    let values = [
        json!(7),
        json!(true),
        json!(["a"]),
        json!({"a": 1}),
        json!("a\r\nb"),
    ];
    refused_as(&cx, "refresh_token", values).await
}

async fn long_tokens(cx: Context) -> Outcome {
    let (access, refresh) = ("a".repeat(16 * 1024), "r+/%=".repeat(820));
    let mut answer = cx.target().token_answer(&access);
    answer["refresh_token"] = json!(refresh);
    let server = cx.scripted([Reply::json(200, &answer)]).await?;
    let client = cx.client(server.base_url())?;
    let token = cx.ask(&client).await?;
    ensure!(
        token.access_token().expose_secret() == access,
        "sent a 16 KiB access token, expected it, got another"
    );
    let mut headers = HeaderMap::new();
    client
        .provider()
        .authorize_request(token.access_token(), &mut headers)?;
    let length = headers[header::AUTHORIZATION].len();
    ensure!(
        length >= access.len(),
        "used a 16 KiB access token, expected all of it in a header, got {length} bytes"
    );
    client.exchange(&grant::RefreshToken::of(&token)?).await?;
    let sent = server
        .received()
        .last()
        .and_then(|request| request.param("refresh_token"));
    let length = sent.as_ref().map(String::len);
    ensure!(
        sent == Some(refresh),
        "used a 4 KiB refresh token, expected it in the request, got {length:?} bytes"
    );
    Ok(())
}

async fn id_token(cx: Context) -> Outcome {
    for value in [
        json!("not.a.jwt"),
        json!(""),
        json!(7),
        json!({"alg": "none"}),
        json!(null),
    ] {
        let reply = cx.token_reply_with("id_token", value.clone());
        let token = expect::token(&cx, &format!("id_token {value}"), reply).await?;
        kept(&token, "id_token", &value)?;
        ensure!(
            token.id_token() == value.as_str(),
            "sent id_token {value}, expected it opaque, got {:?}",
            token.id_token()
        );
    }
    Ok(())
}

async fn later_extensions(cx: Context) -> Outcome {
    let details = json!([{"type": "payment_initiation", "actions": ["initiate"], "amount": {"value": "1.00"}}]);
    for name in [
        "authorization_details",
        "issued_token_type",
        "x_of_tomorrow",
    ] {
        let token = expect::token(&cx, name, cx.token_reply_with(name, details.clone())).await?;
        kept(&token, name, &details)?;
    }
    Ok(())
}

/// Ends the case unless each value as `member` is a protocol error.
async fn refused_as(
    cx: &Context,
    member: &str,
    values: impl IntoIterator<Item = Value>,
) -> Outcome {
    for value in values {
        let reply = cx.token_reply_with(member, value.clone());
        expect::error_of(cx, Protocol, &format!("{member} {value}"), reply).await?;
    }
    Ok(())
}

fn kept(token: &TokenSet, member: &str, value: &Value) -> Result<(), Failure> {
    let got = token.extra().get(member);
    ensure!(
        got == Some(value),
        "sent {member} {value}, expected it kept, got {got:?}"
    );
    Ok(())
}
