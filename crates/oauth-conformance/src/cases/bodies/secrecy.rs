//! What an error may say of an answer: everything but its text.

use oauth_core::{ErrorKind::Protocol, RefreshToken, Token, TokenSet, grant};
use serde_json::{Value, json};

use super::{expect, json_body, marks};
use crate::{Context, Failure, Need, Outcome, Reply, ensure};

const BODY: &str = "MARKbody+7Q/2x";
const HEADER: &str = "MARKheader7Q2x";
const SECRET: &str = "MARKsecret+/=&7Q2x";
const REFRESH: &str = "MARKrefresh+/=%7Q2x";
const PARAM: &str = "MARKparam7Q2x";
const ALL: &[&str] = &[BODY, HEADER, SECRET, REFRESH, PARAM];

pub(in crate::cases) async fn of_the_body(cx: Context) -> Outcome {
    let token = cx.target().token_answer(BODY).to_string();
    let refusal = with_marks(&cx.refusal_body("invalid_grant")?.1);
    let bodies = [
        ("cut JSON", token[..token.len() - 2].to_owned()),
        ("bytes after the object", format!("{token} {BODY}")),
        (
            "a token twice",
            token.replacen('{', &format!("{{\"access_token\":\"{BODY}\","), 1),
        ),
        (
            "a token of an unknown kind",
            token.replace("access_token", "accessToken"),
        ),
        ("an array", format!("[{token}]")),
        ("a text", format!("\"{BODY}\"")),
        ("HTML", format!("<html><body>{BODY}</body></html>")),
        ("a form", format!("access_token={}", marks::encoded(BODY))),
        ("a number too large", token.replace('{', "{\"x\":1e400,")),
        ("a refusal with more members", refusal),
        (
            "a home-made refusal",
            format!("{{\"errors\":[{{\"detail\":\"{BODY}\"}}],\"{BODY}\":1}}"),
        ),
    ];
    for (sent, body) in bodies {
        for status in [200, 302, 400, 401, 403, 404, 429, 500, 503] {
            let sent = format!("{sent} under {status}");
            let error = refreshed(&cx, marked(status, &body)).await?;
            let error = error.ok_or_else(|| {
                Failure::new(format!("sent {sent}, expected an error, got a token"))
            })?;
            let kept = error.status().map(|status| status.as_u16());
            ensure!(
                kept == Some(status),
                "sent {sent}, expected its status in the error, got {kept:?}"
            );
            marks::unseen(&error, ALL, &sent)?;
        }
    }
    for (sent, raw) in [
        (
            "a status line that is none",
            format!("HTTP/1.1 {BODY}\r\n\r\n"),
        ),
        ("no HTTP at all", format!("{BODY}\r\n\r\n")),
        (
            "a header line that is none",
            format!("HTTP/1.1 200 OK\r\n{BODY}\r\n\r\n"),
        ),
        (
            "a length that is none",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n{token}"),
        ),
        (
            "a coding",
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {BODY}\r\nContent-Length: 0\r\n\r\n"),
        ),
    ] {
        if let Some(error) = refreshed(&cx, Reply::raw(raw)).await? {
            marks::unseen(&error, ALL, sent)?;
        }
    }
    Ok(())
}

pub(in crate::cases) async fn of_a_member(cx: Context) -> Outcome {
    let values = [
        json!({ BODY: BODY }),
        json!([BODY]),
        json!([7_027_027_027_u64]),
        json!(7_027_027_027_u64),
        json!(-7_027_027_027_i64),
        json!(format!("{BODY}\r\n")),
        json!(format!("{BODY}\t\"ä")),
    ];
    for member in [
        "access_token",
        "expires_in",
        "refresh_token",
        "scope",
        "token_type",
    ] {
        for value in &values {
            let sent = format!("{member} {value}");
            let result = cx.read(cx.token_reply_with(member, value.clone())).await?;
            let error = match result {
                Ok(token) => {
                    ensure!(
                        is_good(&cx, member, value, &token),
                        "sent {sent}, expected an error, got a token"
                    );
                    continue;
                }
                Err(error) => error,
            };
            expect::is(&error, Protocol, &sent)?;
            let (text, what) = (error.to_string(), expected(member, value));
            ensure!(
                text.contains(&format!("\"{member}\" {what}")),
                "sent {sent}, expected to be told that {member} {what}, got {text}"
            );
            marks::unseen(&error, &[BODY, "7027027027"], &sent)?;
        }
    }
    let error = expect::error_of(
        &cx,
        Protocol,
        "a token twice",
        json_body(format!("{{\"{BODY}\":1,\"{BODY}\":2}}")),
    )
    .await?;
    marks::unseen(&error, ALL, "a member twice")
}

/// Whether a value is a good one after all: that many seconds, or this list of scopes. What a
/// provider with an `expires_in` of its own cannot read may be its default, but never "for ever".
fn is_good(cx: &Context, member: &str, value: &Value, token: &TokenSet) -> bool {
    match member {
        "scope" => *value == json!([BODY]),
        "expires_in" => {
            let good = value.is_u64() || cx.lacks(Need::StandardExpiry);
            good && token.expires_at().is_some()
        }
        _ => false,
    }
}

/// What an error must say of a value that is none for this member.
fn expected(member: &str, value: &Value) -> &'static str {
    match (member, value) {
        ("expires_in", _) => "is not a number of seconds",
        ("scope", Value::String(_)) => "has a character outside RFC 6749 section 3.3",
        ("scope", Value::Array(_)) => "is an array with an item that is not a text",
        ("scope", _) => "is neither a text nor an array of texts",
        ("token_type", Value::String(_)) => "names a type other than Bearer",
        ("access_token", Value::String(_)) => "is empty or has a character outside printable ASCII",
        (_, Value::String(_)) => "has a character outside printable ASCII",
        _ => "is not a text",
    }
}

/// The error of a refresh whose request is full of marks.
async fn refreshed(cx: &Context, reply: Reply) -> Result<Option<oauth_core::Error>, Failure> {
    let server = cx.scripted([reply]).await?;
    let client = cx
        .builder(server.base_url())?
        .client_secret(SECRET)
        .build()?;
    let grant = grant::RefreshToken::new(RefreshToken::new(REFRESH)?);
    Ok(client
        .exchange(&grant)
        .param("x_conformance", PARAM)
        .await
        .err())
}

fn marked(status: u16, body: &str) -> Reply {
    Reply::new(status)
        .header("Content-Type", "application/json")
        .header("Set-Cookie", &format!("session={HEADER}"))
        .header("X-Conformance", HEADER)
        .header(
            "Location",
            &format!("https://elsewhere.invalid/{HEADER}?code={HEADER}#{HEADER}"),
        )
        .header(
            "WWW-Authenticate",
            &format!("Bearer realm=\"{HEADER}\", x=\"{HEADER}\""),
        )
        .body(body)
}

/// A refusal with further members: what its own say may be shown, these may not.
fn with_marks(refusal: &str) -> String {
    refusal.replacen(
        '{',
        &format!("{{\"x_hint\":\"{BODY}\",\"x_more\":{{\"{BODY}\":[\"{BODY}\"]}},"),
        1,
    )
}
