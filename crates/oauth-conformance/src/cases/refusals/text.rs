//! The words of a refusal: cleaned, cut, and without what the caller must not see again.

use base64::{Engine, prelude::BASE64_STANDARD};
use oauth_core::{Error, ErrorCode, ErrorKind::OAuth, RefreshToken, grant};
use serde_json::{Value, json};

use super::{expect, marks};
use crate::{Context, Failure, Need::StandardErrors, Outcome, Reply, ensure};

/// An error is shown on one line of a log: no text of a server makes it longer than this.
const LONGEST: usize = 2048;

pub(in crate::cases) async fn cleaned_and_cut(cx: Context) -> Outcome {
    let long = "x".repeat(64 * 1024);
    let texts = [
        json!("line\r\nbreak\nSet-Cookie: a=b"),
        json!("\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}"),
        json!("\u{0}\u{8}\u{7f}\u{85}\u{9b}31m"),
        json!("<script>alert(1)</script>"),
        json!(long),
        json!(null),
        json!(7),
        json!({"text": "\r\n"}),
    ];
    let uris = [
        json!("https://e.invalid/why"),
        json!("javascript:alert(1)"),
        json!("file:///etc/passwd"),
        json!("http://127.0.0.1:1/\r\nX: y"),
        json!(format!("https://e.invalid/{long}")),
        json!(["https://e.invalid/"]),
    ];
    let standard = |name: &str, text: &Value| {
        let mut body = json!({"error": "invalid_grant"});
        body[name] = text.clone();
        body
    };
    let (status, own) = cx.refusal_body("invalid_grant")?;
    let mut sent: Vec<(u16, Value, bool)> = Vec::new();
    for text in &texts {
        sent.push((400, standard("error_description", text), true));
        // The same in every text of the target's own form, as far as it is one.
        let body = map_texts(
            serde_json::from_str(&own).unwrap_or_default(),
            &|have| match text.as_str() {
                Some(text) => Value::from(format!("{have}{text}")),
                None => text.clone(),
            },
        );
        sent.push((status, body, false));
    }
    sent.extend(
        uris.iter()
            .map(|uri| (400, standard("error_uri", uri), true)),
    );
    for (status, body, standard) in sent {
        let short: String = body.to_string().chars().take(120).collect();
        let server = cx.scripted([Reply::json(status, &body)]).await?;
        let error = refused(cx.ask(&cx.client(server.base_url())?).await, &short)?;
        if standard && !cx.lacks(StandardErrors) {
            expect::is(&error, OAuth, &short)?;
            let code = error.code();
            ensure!(
                code == Some(&ErrorCode::InvalidGrant),
                "sent {short}, expected invalid_grant, got {code:?}"
            );
        }
        let oauth = error.oauth_error();
        let parts = [
            Some(error.to_string()),
            oauth.and_then(|e| e.description().map(str::to_owned)),
            oauth.and_then(|e| e.uri().map(str::to_owned)),
        ];
        for text in parts.into_iter().flatten() {
            let clean = !text.contains(char::is_control) && text.len() <= LONGEST;
            ensure!(
                clean,
                "sent {short}, expected a clean text of at most {LONGEST} bytes, got {} bytes: {text:.200?}",
                text.len()
            );
        }
        let shown = marks::shown(&error);
        ensure!(
            !shown.contains('\u{1b}') && !shown.contains("\\u{1b}"),
            "sent {short}, expected no escape in Debug, got one"
        );
        let requests = server.received().len();
        ensure!(
            requests == 1,
            "sent {short}, expected one request and no URI opened, got {requests}"
        );
    }
    Ok(())
}

pub(in crate::cases) async fn masked(cx: Context) -> Outcome {
    const SECRET: &str = "MARKsecret +/=&%7Q2x";
    const REFRESH: &str = "MARKrefresh+/=%7Q2x";
    let id = cx.credentials().client_id;
    let basic = |id: &str, secret: &str| BASE64_STANDARD.encode(format!("{id}:{secret}"));
    let repeated = [
        SECRET.to_owned(),
        REFRESH.to_owned(),
        format!(
            "client_secret={}&refresh_token={}",
            marks::encoded(SECRET),
            marks::encoded(REFRESH)
        ),
        format!(
            "client_secret={}",
            marks::encoded(SECRET).replace('+', "%20")
        ),
        format!("Authorization: Basic {}", basic(&id, SECRET)),
        format!(
            "Authorization: Basic {}",
            basic(&marks::encoded(&id), &marks::encoded(SECRET))
        ),
        // Where a text is cut, a secret may be cut with it.
        format!("{}{SECRET}", "x".repeat(240)),
        format!("{}{}", "x".repeat(240), basic(&id, SECRET)),
        format!("{SECRET}{SECRET} {REFRESH}"),
    ];
    let (status, own) = cx.refusal_body("invalid_grant")?;
    for text in repeated {
        let own = map_texts(serde_json::from_str(&own).unwrap_or_default(), &|have| {
            Value::from(format!("{have} {text}"))
        });
        for (status, body) in [
            (
                400,
                json!({"error": "invalid_grant", "error_description": text}),
            ),
            (
                400,
                json!({"error": text, "error_uri": format!("https://e.invalid/?{text}")}),
            ),
            (
                400,
                json!({"error": "invalid_grant", "x_request": {"body": [text]}}),
            ),
            (
                200,
                json!({"error": "invalid_grant", "error_description": text}),
            ),
            (
                429,
                json!({"error": "slow_down", "error_description": text}),
            ),
            (
                500,
                json!({"error": "server_error", "error_description": text}),
            ),
            (status, own),
        ] {
            let sent = format!("{body} under {status}");
            let server = cx.scripted([Reply::json(status, &body)]).await?;
            let client = cx
                .builder(server.base_url())?
                .client_secret(SECRET)
                .build()?;
            let grant = grant::RefreshToken::new(RefreshToken::new(REFRESH)?);
            let error = refused(client.exchange(&grant).await, &sent)?;
            let start = basic(&id, SECRET)[..12].to_owned();
            let extra = error
                .oauth_error()
                .map(|error| format!("{:?}", error.extra()))
                .unwrap_or_default();
            let text = format!("{}{extra}", marks::shown(&error));
            marks::unseen_in(
                &text,
                &[SECRET, REFRESH, "MARKsecret", "MARKrefresh", &start],
                &sent,
            )?;
        }
    }
    Ok(())
}

fn refused<T>(result: Result<T, Error>, sent: &str) -> Result<Error, Failure> {
    result
        .err()
        .ok_or_else(|| Failure::new(format!("sent {sent}, expected an error, got a token")))
}

/// `value` with every text in it changed.
fn map_texts(value: Value, change: &impl Fn(&str) -> Value) -> Value {
    match value {
        Value::String(text) => change(&text),
        Value::Array(items) => items
            .into_iter()
            .map(|item| map_texts(item, change))
            .collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, map_texts(value, change)))
            .collect(),
        other => other,
    }
}
