//! Finds secrets in recorded text and puts `[secret N]` in their place: the same number for the
//! same secret, so that a reader still sees where it goes.

use std::ops::Range;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::secrets::{PARAMETERS, in_header};

/// A shorter text is masked only where its name tells: it may be a word.
const UNMISTAKABLE: usize = 8;

/// Masks the secrets in all of `texts`; `known` ones and long ones wherever they are.
pub(super) fn mask(texts: &mut [String], known: &[&str]) {
    let named: Vec<Vec<Range<usize>>> = texts.iter().map(|text| named(text)).collect();
    let mut secrets: Vec<String> = Vec::new();
    for (text, spans) in texts.iter().zip(&named) {
        for span in spans {
            learn(&mut secrets, &text[span.clone()]);
        }
    }
    for secret in known {
        learn(&mut secrets, secret);
    }
    for (text, spans) in texts.iter_mut().zip(named) {
        *text = without(text, spans, &secrets);
    }
}

fn learn(secrets: &mut Vec<String>, secret: &str) {
    let mut forms = vec![secret.to_owned()];
    forms.extend(
        form_urlencoded::parse(format!("={secret}").as_bytes())
            .map(|(_, value)| value.into_owned()),
    );
    forms.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    // A Basic credential holds the secret after the colon (RFC 7617 §2).
    if let Some((_, password)) = BASE64_STANDARD
        .decode(secret)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
    {
        forms.push(password.to_owned());
    }
    for form in forms {
        if !form.is_empty() && !secrets.contains(&form) {
            secrets.push(form);
        }
    }
}

/// Where the values are that a name says to be secret.
fn named(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut start = 0;
    for line in head.split('\n') {
        if let Some((name, value)) = line.split_once(':') {
            let value = value.trim();
            let from = start + line.trim_end().len() - value.len();
            let secrets = in_header(name.trim(), value).into_iter();
            spans.extend(secrets.map(|range| from + range.start..from + range.end));
        }
        start += line.len() + 1;
    }
    parameters(text, &mut spans);
    members(body, text.len() - body.len(), &mut spans);
    spans
}

/// Those of forms and queries: `name=value`.
fn parameters(text: &str, spans: &mut Vec<Range<usize>>) {
    let ends = |c: char| c == '&' || c == '"' || c == '#' || c == ';' || c.is_whitespace();
    for (at, _) in text.match_indices('=') {
        let name = text[..at]
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        if PARAMETERS.contains(&name) {
            let value = &text[at + 1..];
            let length = value.find(ends).unwrap_or(value.len());
            spans.push(at + 1..at + 1 + length);
        }
    }
}

/// Those of JSON, whole or not: `"name": "value"`. There, `code` is a kind of error.
fn members(body: &str, offset: usize, spans: &mut Vec<Range<usize>>) {
    for name in PARAMETERS.iter().filter(|name| **name != "code") {
        let quoted = format!("\"{name}\"");
        for (at, _) in body.match_indices(&quoted) {
            let rest = &body[at + quoted.len()..];
            let Some(value) = rest
                .trim_start()
                .strip_prefix(':')
                .and_then(|rest| rest.trim_start().strip_prefix('"'))
            else {
                continue;
            };
            let start = offset + body.len() - value.len();
            spans.push(start..start + string(value));
        }
    }
}

/// How long a JSON text is up to its closing quote.
fn string(value: &str) -> usize {
    let mut escaped = false;
    for (at, character) in value.char_indices() {
        match character {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    value.len()
}

fn without(text: &str, mut spans: Vec<Range<usize>>, secrets: &[String]) -> String {
    for secret in secrets.iter().filter(|secret| secret.len() >= UNMISTAKABLE) {
        spans.extend(
            text.match_indices(secret.as_str())
                .map(|(at, _)| at..at + secret.len()),
        );
    }
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| (span.start, usize::MAX - span.end));
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        if span.end <= done {
            continue;
        }
        if span.start >= done {
            let number = secrets
                .iter()
                .position(|secret| *secret == text[span.clone()])
                .unwrap_or(secrets.len());
            masked.push_str(&text[done..span.start]);
            masked.push_str(&format!("[secret {}]", number + 1));
        }
        done = span.end;
    }
    masked.push_str(&text[done..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(texts: &[&str], known: &[&str]) -> Vec<String> {
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        mask(&mut texts, known);
        texts
    }

    #[test]
    fn a_secret_is_masked_where_its_name_tells_and_wherever_it_comes_again() {
        let texts = masked(
            &[
                "POST /token?code=xy HTTP/1.1\nAuthorization: Basic c3ZjOnN2Yy1zZWNyZXQ=\n\ngrant_type=password&password=pw&client_id=pw",
                "HTTP/1.1 200 OK\n\n{\"access_token\" : \"an\\\"access\",\"token_type\":\"Bearer\",\"refresh_token\":\"cut-off",
                "GET /userinfo HTTP/1.1\nauthorization: Bearer cut-off\n\n svc-secret",
            ],
            &["known-secret"],
        );
        let all = texts.join("\n");
        for secret in [
            "=xy",
            "c3Zj",
            "password=pw",
            "access\",",
            "cut-off",
            "svc-secret",
        ] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        for kept in [
            "grant_type=password&",
            "client_id=pw",
            "Basic [",
            "Bearer [",
            "Bearer\"",
        ] {
            assert!(all.contains(kept), "no {kept} in {all}");
        }
    }

    #[test]
    fn cookies_are_masked_and_their_attributes_are_not() {
        let texts = masked(
            &[
                "GET / HTTP/1.1\nCookie: session=of-a-person; second=x",
                "HTTP/1.1 302\nset-cookie: session=renewed; Path=/; HttpOnly\nLocation: /cb?code=ab&state=s",
                "DPoP: a.b.c of-a-person",
            ],
            &[],
        );
        let all = texts.join("\n");
        for secret in ["of-a-person", "=x", "renewed", "=ab", "a.b.c"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        for kept in ["session=[", "Path=/; HttpOnly", "&state=s"] {
            assert!(all.contains(kept), "no {kept} in {all}");
        }
    }

    #[test]
    fn the_same_secret_has_the_same_number() {
        let texts = masked(
            &["token=abcdefgh&token=ijklmnop", "x abcdefgh ijklmnop"],
            &[],
        );
        let inner = |text: &str| -> Vec<String> {
            text.match_indices("[secret ")
                .map(|(at, _)| text[at..].split(']').next().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(inner(&texts[0]), inner(&texts[1]));
        assert_ne!(inner(&texts[0])[0], inner(&texts[0])[1]);
    }

    #[test]
    fn a_known_secret_is_masked_in_its_encoded_form_too() {
        let texts = masked(
            &[
                "a=p%26ssw%C3%B6rd",
                "p&ssw\u{f6}rd",
                "code in {\"code\":\"expired\"}",
            ],
            &["p&ssw\u{f6}rd"],
        );
        assert!(
            !texts[0].contains("ssw") && !texts[1].contains("ssw"),
            "{texts:?}"
        );
        assert!(texts[2].contains("expired"), "{texts:?}");
    }
}
