//! JSON as RFC 8259 has it, and as it has not.

use oauth_core::{ErrorKind::Protocol, OAuthError};
use serde_json::{Map, Value, json};

use super::{answer, expect, json_body};
use crate::{Context, Failure, Outcome, ensure};

pub(in crate::cases) async fn no_object(cx: Context) -> Outcome {
    for body in [
        "",
        " ",
        "\r\n\t ",
        "null",
        "[]",
        "{}",
        "\"access_token\"",
        "7",
        "-1.5",
        "true",
        "false",
        "[null]",
    ] {
        refused(&cx, body).await?;
    }
    Ok(())
}

pub(in crate::cases) async fn more_than_an_object(cx: Context) -> Outcome {
    let answer = answer(&cx);
    let inside = answer.trim_end_matches('}');
    for body in [
        format!("{answer} x"),
        format!("{answer}\0"),
        format!("{answer}}}"),
        format!("{answer}{answer}"),
        format!("{answer}\n{answer}"),
        format!("{inside},}}"),
        format!("{inside},,\"a\":1}}"),
        format!("/* comment */{answer}"),
        format!("{answer}// comment"),
        format!("{inside},/**/\"a\":1}}"),
        answer.replace('"', "'"),
        answer.replace("\"access_token\"", "access_token"),
        format!("callback({answer})"),
        format!("callback({answer});"),
        format!(")]}}',\n{answer}"),
        format!("while(1);{answer}"),
        format!("{inside},\"a\":\"line\nbreak\"}}"),
        format!("{inside},\"a\":\"\u{1}\"}}"),
        format!("{inside},\"a\":undefined}}"),
        format!("{inside},\"a\":01}}"),
        format!("{inside},\"a\":.5}}"),
        format!("{inside},\"a\":\"\\x41\"}}"),
    ] {
        refused(&cx, &body).await?;
    }
    Ok(())
}

pub(in crate::cases) async fn other_encodings(cx: Context) -> Outcome {
    let answer = answer(&cx);
    let marked: Vec<u8> = [b"\xef\xbb\xbf", answer.as_bytes()].concat();
    if let Ok(token) = cx.read(json_body(marked)).await? {
        let plain = expect::token(&cx, "a plain token", json_body(answer.clone())).await?;
        ensure!(
            token == plain,
            "sent a byte order mark before a token, expected the same token, got {token:?}"
        );
    }
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter()
            .chain(answer.encode_utf16())
            .flat_map(bytes)
            .collect()
    };
    let inside = |bytes: &[u8]| {
        let mut parts = answer.splitn(2, "conformance-access-token");
        let (before, after) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        [
            before.as_bytes(),
            b"conformance-",
            bytes,
            b"-token",
            after.as_bytes(),
        ]
        .concat()
    };
    let beside = |bytes: &[u8]| {
        [
            answer.trim_end_matches('}').as_bytes(),
            b",\"x\":\"",
            bytes,
            b"\"}",
        ]
        .concat()
    };
    for (sent, body) in [
        ("Latin-1 in an unknown member", beside(b"\xe4")),
        ("a lone surrogate in an unknown member", beside(br"\ud800")),
        ("UTF-16LE with a mark", utf16(u16::to_le_bytes, true)),
        ("UTF-16BE with a mark", utf16(u16::to_be_bytes, true)),
        ("UTF-16LE", utf16(u16::to_le_bytes, false)),
        ("UTF-16BE", utf16(u16::to_be_bytes, false)),
        ("Latin-1 in the token", inside(b"\xe4")),
        ("a lone continuation byte in the token", inside(b"\x80")),
        ("an overlong form in the token", inside(b"\xc1\xa1")),
        ("a cut sequence in the token", inside(b"\xe2\x82")),
        ("a surrogate in UTF-8 in the token", inside(b"\xed\xa0\x80")),
        ("a lone high surrogate in the token", inside(br"\ud800")),
        ("a lone low surrogate in the token", inside(br"\udc00")),
        (
            "two surrogates in the wrong order in the token",
            inside(br"\udc00\ud800"),
        ),
        ("a cut escape in the token", inside(br"\u00")),
        (
            "a replacement character in the token",
            inside("\u{fffd}".as_bytes()),
        ),
    ] {
        expect::error_of(&cx, Protocol, sent, json_body(body)).await?;
    }
    Ok(())
}

pub(in crate::cases) async fn duplicates(cx: Context) -> Outcome {
    let answer = answer(&cx);
    let rest = &answer[1..];
    for twice in [
        r#""access_token":"other""#,
        r#""access_token":"conformance-access-token""#,
        r#""access\u005ftoken":"other""#,
        r#""token_type":"bearer","token_type":"mac""#,
        r#""expires_in":60,"expires_in":7200"#,
        r#""scope":"admin","scope":"read""#,
        r#""x":1,"x":1"#,
    ] {
        refused(&cx, &format!("{{{twice},{rest}")).await?;
    }
    for twice in [
        r#""error":"invalid_grant","error":"""#,
        r#""error":"invalid_grant","error":null"#,
        r#""error":null,"error":"invalid_grant""#,
        r#""error":"invalid_grant","err\u006fr":7"#,
    ] {
        let sent = format!("{{{twice},{rest}");
        expect::error(&cx, &sent, json_body(sent.clone())).await?;
        // Under 400 neither of the two is the code.
        let reply = json_body(format!("{{{twice}}}")).status(400);
        let error = expect::error(&cx, twice, reply).await?;
        let code = error.oauth_error().map(OAuthError::code);
        ensure!(
            !error.needs_reauthorization(),
            "sent {twice} under 400, expected no code, got {code:?}"
        );
    }
    in_its_own_words(&cx).await
}

/// A target's own way to say that a session is dead says nothing with a member twice, whichever
/// of the two comes last.
async fn in_its_own_words(cx: &Context) -> Outcome {
    let (status, body) = cx.refusal_body("invalid_grant")?;
    let plain = expect::error(cx, &body, json_body(body.clone()).status(status)).await?;
    ensure!(
        plain.needs_reauthorization(),
        "sent {status} {body}, expected the end of the session, got {:?}",
        plain.recovery()
    );
    let inner = &body[1..body.len() - 1];
    let members: Map<String, Value> = serde_json::from_str(&body)
        .map_err(|_| Failure::new(format!("the target's refusal is no object: {body}")))?;
    for (name, _) in members.iter().filter(|(_, value)| value.is_string()) {
        let other = json!({ name: "another text" }).to_string();
        let other = &other[1..other.len() - 1];
        for twice in [
            format!("{{{inner},{other}}}"),
            format!("{{{other},{inner}}}"),
        ] {
            let error = expect::error(cx, &twice, json_body(twice.clone()).status(status)).await?;
            ensure!(
                !error.needs_reauthorization(),
                "sent {status} {twice}, expected no code that ends the session, got {:?}",
                error.code()
            );
        }
    }
    Ok(())
}

pub(in crate::cases) async fn deep(cx: Context) -> Outcome {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for value in [nested(50), objects(50)] {
        expect::token(
            &cx,
            "50 levels in an unknown member",
            cx.token_reply_raw("x_deep", &value),
        )
        .await?;
    }
    for levels in [2_000, 20_000] {
        for value in [
            nested(levels),
            objects(levels),
            "[".repeat(levels),
            "{\"a\":".repeat(levels),
        ] {
            for member in ["x_deep", "access_token", "error"] {
                let sent = format!("{levels} levels in {member}");
                expect::error_of(&cx, Protocol, &sent, cx.token_reply_raw(member, &value)).await?;
            }
            let sent = format!("{levels} levels");
            expect::error_of(&cx, Protocol, &sent, json_body(value.clone())).await?;
            // An error's reader is another one than a token's.
            expect::error(&cx, &sent, json_body(value).status(400)).await?;
        }
    }
    Ok(())
}

pub(in crate::cases) async fn wide(cx: Context) -> Outcome {
    let mut members = cx.target().token_answer("conformance-access-token");
    for n in 0..2_000 {
        members[format!("x_{n}")] = json!(n);
    }
    let token = expect::token(&cx, "2000 unknown members", json_body(members.to_string())).await?;
    let got = token.extra().get("x_1999");
    ensure!(
        got == Some(&json!(1999)),
        "sent 2000 unknown members, expected the last one kept, got {got:?}"
    );
    let padding = "p".repeat(64 * 1024);
    let token = expect::token(
        &cx,
        "64 KiB in a member",
        cx.token_reply_with("x_padding", json!(padding)),
    )
    .await?;
    let got = token
        .extra()
        .get("x_padding")
        .and_then(Value::as_str)
        .map(str::len);
    ensure!(
        got == Some(padding.len()),
        "sent a member of 64 KiB, expected it kept, got {got:?} bytes"
    );
    let blanks = format!(
        "{}{}{}",
        " ".repeat(64 * 1024),
        answer(&cx),
        "\n".repeat(64 * 1024)
    );
    expect::token(&cx, "64 KiB of blanks on either side", json_body(blanks)).await?;
    Ok(())
}

pub(in crate::cases) async fn other_spellings(cx: Context) -> Outcome {
    let members = cx.target().token_answer("conformance-access-token");
    let plain = expect::token(&cx, "a plain token", json_body(members.to_string())).await?;
    let pretty = serde_json::to_string_pretty(&members).unwrap_or_default();
    let escaped = |text: &str| {
        text.chars()
            .map(|c| format!("\\u{:04X}", u32::from(c)))
            .collect::<String>()
    };
    let name_and_value = members
        .to_string()
        .replace("access_token", &escaped("access_token"))
        .replace(
            "conformance-access-token",
            &escaped("conformance-access-token"),
        );
    for body in [
        pretty.clone(),
        pretty.replace('\n', "\r\n"),
        pretty.replace("  ", "\t"),
        format!("\r\n\r\n\n {members} \r\n\r\n"),
        name_and_value,
    ] {
        let token = expect::token(&cx, &body, json_body(body.clone())).await?;
        ensure!(
            token == plain,
            "sent {body}, expected the same token as in the plain form, got another"
        );
    }
    // An escaped solidus is a solidus.
    let token = expect::token(&cx, r#""a\/b""#, cx.token_reply_raw("x_path", r#""a\/b""#)).await?;
    let got = token.extra().get("x_path");
    ensure!(
        got == Some(&json!("a/b")),
        r#"sent "a\/b", expected a/b, got {got:?}"#
    );
    Ok(())
}

/// Ends the case unless `body` is a protocol error.
async fn refused(cx: &Context, body: &str) -> Outcome {
    expect::error_of(cx, Protocol, &format!("{body:?}"), json_body(body))
        .await
        .map(|_| ())
}
