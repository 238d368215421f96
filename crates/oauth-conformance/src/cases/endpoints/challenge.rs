//! The challenges of `WWW-Authenticate`.

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use oauth_core::challenges;

use super::expect;
use crate::{Context, Failure, Outcome, Reply, ensure};

/// A header, and the scheme and parameters of each challenge in it.
type Vector<'a> = (&'a str, &'a [(&'a str, &'a [(&'a str, &'a str)])]);

/// RFC 9110 §11.6.1, and what servers make of it.
pub(in crate::cases) async fn read_whole_or_not_at_all(cx: Context) -> Outcome {
    let good: &[Vector<'_>] = &[
        ("Bearer", &[("bearer", &[])]),
        ("BEARER realm=x", &[("bearer", &[("realm", "x")])]),
        (
            "Bearer error=\"invalid_token\"",
            &[("bearer", &[("error", "invalid_token")])],
        ),
        (
            "Bearer realm = \"x\" ,\t ERROR=invalid_token",
            &[("bearer", &[("realm", "x"), ("error", "invalid_token")])],
        ),
        (
            r#"Bearer realm="a \"b\", c\\""#,
            &[("bearer", &[("realm", r#"a "b", c\"#)])],
        ),
        ("Bearer realm=\"\"", &[("bearer", &[("realm", "")])]),
        (
            "Basic realm=\"a, Bearer error=x\", Bearer error=y",
            &[
                ("basic", &[("realm", "a, Bearer error=x")]),
                ("bearer", &[("error", "y")]),
            ],
        ),
        (
            "Negotiate, Basic realm=x , Bearer",
            &[
                ("negotiate", &[]),
                ("basic", &[("realm", "x")]),
                ("bearer", &[]),
            ],
        ),
        ("Bearer error=", &[("bearer", &[])]),
        (
            "Negotiate YII==, Bearer error=y",
            &[("negotiate", &[]), ("bearer", &[("error", "y")])],
        ),
        (
            "NTLM TlRM+/-._~, DPoP algs=\"ES256 PS256\"",
            &[("ntlm", &[]), ("dpop", &[("algs", "ES256 PS256")])],
        ),
        (", ,Bearer error=y, ,", &[("bearer", &[("error", "y")])]),
        ("", &[]),
        (" , ", &[]),
    ];
    for (text, expected) in good {
        let got = challenges(&headers(text)?);
        let right = got.len() == expected.len()
            && got
                .iter()
                .zip(*expected)
                .all(|(got, (scheme, parameters))| {
                    got.scheme() == *scheme
                        && parameters
                            .iter()
                            .all(|(name, value)| got.parameter(name) == Some(*value))
                });
        ensure!(right, "parsed {text:?}, expected {expected:?}, got {got:?}");
    }
    let malformed = [
        "=",
        "\"x\"",
        "Bearer error=\"open",
        "Bearer error=\"a\\",
        "error=x",
        "Bearer realm=\"x\" y z=\"",
        "Bearer, =x",
        "Bearer (x)",
        "Bearer realm=a;b=c",
        "@",
        "Bearer error=\u{7f}",
    ];
    for text in malformed {
        // The client library may itself refuse what cannot be in a header.
        let Ok(headers) = headers(text) else { continue };
        let got = challenges(&headers);
        ensure!(
            got.is_empty(),
            "parsed {text:?}, expected no challenge, got {got:?}"
        );
    }
    let mut both = headers("Bearer error=\"open")?;
    both.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=x"));
    both.append(
        WWW_AUTHENTICATE,
        HeaderValue::from_bytes(b"Bearer realm=\"\xff\"").map_err(|_| bad_header())?,
    );
    let got = challenges(&both);
    ensure!(
        got.len() == 1 && got[0].scheme() == "basic",
        "parsed three headers, one good, expected it alone, got {got:?}"
    );
    // Over a socket: whatever the header, an answer without a code stays a final error.
    for text in malformed
        .iter()
        .copied()
        .chain(["Bearer realm=\"\u{e4}\"", "Negotiate YII=="])
    {
        let sent = format!("401 with WWW-Authenticate {text:?}");
        let error = expect::error(
            &cx,
            &sent,
            Reply::new(401).header("WWW-Authenticate", text).body("no"),
        )
        .await?;
        ensure!(
            !error.needs_reauthorization(),
            "sent {sent}, expected no code to be read from it, got {:?}",
            error.code()
        );
    }
    Ok(())
}

fn headers(text: &str) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_str(text).map_err(|_| bad_header())?,
    );
    Ok(headers)
}

fn bad_header() -> Failure {
    Failure::new("the suite's own header is none")
}
