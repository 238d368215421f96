//! Odd answers of a token endpoint: each has its kind and its exit code, and none leaks a secret.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    endpoint::{Endpoint, Request, with_header},
    program::World,
};

/// In every answer, and in what is sent.
const PLANTED: &str = "PLANTED";

enum Answer {
    Json {
        status: u16,
        body: String,
    },
    /// What is written as it is, then closed.
    Raw(Vec<u8>),
}

struct Case {
    answer: Answer,
    kind: &'static str,
    exit: i32,
}

fn http(status: u16, body: impl Into<String>, kind: &'static str, exit: i32) -> Case {
    let answer = Answer::Json {
        status,
        body: body.into(),
    };
    Case { answer, kind, exit }
}

/// All that is tried.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let codes = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
        "invalid_target",
        "server_error",
        "temporarily_unavailable",
        "something_new",
    ];
    // In words, whatever the status.
    for status in [400, 401, 403, 404, 429, 500, 502, 503] {
        for code in codes {
            let body = format!(
                r#"{{"error":"{code}","error_description":"not for PLANTED-client-secret"}}"#
            );
            cases.push(http(status, body, "oauth", 10));
        }
    }
    // Trouble without a word.
    let wordless = [
        "",
        "{}",
        "[]",
        "<html>PLANTED-body</html>",
        r#"{"error":1}"#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer"}"#,
    ];
    for status in [429, 500, 501, 502, 503, 504, 599] {
        cases.extend(wordless.map(|body| http(status, body, "server", 13)));
    }
    for status in [400, 401, 403, 404, 405, 410, 422, 451] {
        cases.extend(wordless.map(|body| http(status, body, "protocol", 11)));
    }
    for status in [301, 302, 303, 307, 308] {
        cases.push(http(status, "", "protocol", 11));
    }
    // A 200 that is no token answer.
    for body in [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"PLANTED-access\"",
        "[]",
        "{}",
        "{",
        "}",
        "PLANTED-access",
        "access_token=PLANTED-access&token_type=bearer",
        "<html>PLANTED-access</html>",
        r#"[{"access_token":"PLANTED-access","token_type":"bearer"}]"#,
        r#"{"token":"PLANTED-access","token_type":"bearer"}"#,
        r#"{"accessToken":"PLANTED-access","token_type":"bearer"}"#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer""#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer"}x"#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer"}{}"#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer","access_token":"PLANTED-other"}"#,
        r#"{'access_token':'PLANTED-access'}"#,
        r#"{"access_token":"PLANTED-access","token_type":"bearer","expires_in":}"#,
    ] {
        cases.push(http(200, body, "protocol", 11));
    }
    for value in [
        "null",
        "1",
        "true",
        "[]",
        "{}",
        "\"\"",
        "[\"PLANTED-access\"]",
        "{\"a\":\"PLANTED-access\"}",
        "\"PLANTED \\u0000\"",
        "\"PLANTED\\nx\"",
    ] {
        cases.push(http(
            200,
            format!(r#"{{"access_token":{value},"token_type":"bearer"}}"#),
            "protocol",
            11,
        ));
    }
    for value in ["1", "true", "[]", "{}", "\"mac\"", "\"PLANTED-type\""] {
        cases.push(http(
            200,
            format!(r#"{{"access_token":"PLANTED-access","token_type":{value}}}"#),
            "protocol",
            11,
        ));
    }
    cases.push(http(
        200,
        format!(
            r#"{{"access_token":"PLANTED-access","padding":"{}"}}"#,
            "x".repeat(2 * 1024 * 1024)
        ),
        "protocol",
        11,
    ));
    cases.push(http(200, "[".repeat(100_000), "protocol", 11));
    cases.push(raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"access_token\":\"PLANTED-access\"", "protocol", 11));
    cases.push(raw(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"acc\r\n",
        "protocol",
        11,
    ));
    cases.push(raw(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\nPLANTED",
        "protocol",
        11,
    ));
    // No answer.
    cases.push(raw(b"", "transport", 12));
    cases.push(raw(b"HTTP/1.1 ", "transport", 12));
    cases.push(raw(b"PLANTED is no HTTP\r\n\r\n", "transport", 12));
    cases.push(raw(b"\x16\x03\x01\x02\x00PLANTED", "transport", 12));
    cases
}

fn raw(bytes: &[u8], kind: &'static str, exit: i32) -> Case {
    Case {
        answer: Answer::Raw(bytes.to_vec()),
        kind,
        exit,
    }
}

#[test]
fn each_has_its_kind_and_none_leaks() {
    let cases = Arc::new(cases());
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let served = Arc::clone(&cases);
    let endpoint = Endpoint::start(move |request| answer(request, &served));
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let world = World::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    if let Err(why) = tried(&world, endpoint.url(), index, case) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// RFC 3339 has no words for it.
#[test]
fn a_time_after_the_year_9999_is_left_out() {
    let endpoint = Endpoint::start(|request| {
        let body = match request.path() {
            "/i" => r#"{"active":true,"client_id":"b","exp":999999999999}"#,
            _ => r#"{"access_token":"access","token_type":"bearer","expires_in":999999999999}"#,
        };
        with_header(200, "x-nothing: nothing", body)
    });
    let world = World::new();
    let at = format!(
        "--token-url {0}/t --introspect-url {0}/i --client-id a",
        endpoint.url()
    );
    let variables = [("OAUTH_CLIENT_SECRET", "s"), ("OAUTH_OUTPUT", "json")];
    let token = world.run_with(&format!("token {at}"), &variables);
    let token = token.succeeded().json();
    assert!(!token["expires_at"].to_string().contains('+'), "{token}");
    let said = world.run_with(&format!("validate {at}"), &variables);
    let said = said.succeeded().json();
    assert_eq!(
        (&said["valid"], &said["expires_at"]),
        (&true.into(), &serde_json::Value::Null)
    );
    let text = world.run_with(&format!("validate {at} --output text"), &variables);
    assert!(!text.succeeded().out.contains("expires_at"));
    for command in ["list", "show"] {
        let shown = world.run(&format!("tokens {command}")).succeeded();
        assert!(!shown.out.is_empty(), "{}", shown.err);
    }
}

/// Neither an answer: what speaks no TLS, and what breaks the connection off.
#[test]
fn a_connection_that_breaks() {
    let plain = Endpoint::start(|_| Vec::new());
    let reset = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reset.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in reset.incoming().flatten() {
            // Closed with unread bytes, it is reset.
            let _ = stream.peek(&mut [0]);
        }
    });
    for url in [
        plain.url().replace("http:", "https:"),
        format!("http://{address}"),
    ] {
        let arguments = format!(
            "token --token-url {url}/t --client-id a --store memory: --retries 0 --output json"
        );
        let variables = [("OAUTH_CLIENT_SECRET", "PLANTED-client-secret")];
        let failed = World::new().run_with(&arguments, &variables).failed(12);
        assert_eq!(failed.error()["kind"], "transport", "{url}");
        assert!(!failed.err.contains(PLANTED), "{}", failed.err);
    }
}

fn tried(world: &World, url: &str, index: usize, case: &Case) -> Result<(), String> {
    let arguments = format!(
        "token --token-url {url}/{index} --client-id a --client-auth post --store memory: --retries 0 --output json"
    );
    let outcome = world.run_with(
        &arguments,
        &[("OAUTH_CLIENT_SECRET", "PLANTED-client-secret")],
    );
    let told = outcome.err.lines().last().unwrap_or_default();
    let error: serde_json::Value = serde_json::from_str(told).unwrap_or_default();
    let error = &error["error"];
    let fits = outcome.code == case.exit
        && error["kind"] == case.kind
        && error["code"].is_string() == (case.kind == "oauth")
        && outcome.out.is_empty()
        && !outcome.err.contains(PLANTED);
    if fits {
        return Ok(());
    }
    let what = match &case.answer {
        Answer::Json { status, body } => format!("{status} {body:.80}"),
        Answer::Raw(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    Err(format!(
        "{what}\n  wanted {} {}, got {} {}{}",
        case.kind, case.exit, outcome.code, outcome.err, outcome.out
    ))
}

/// What the path of the request asks for.
fn answer(request: &Request, cases: &[Case]) -> Vec<u8> {
    let index = request.path().trim_matches('/').parse::<usize>();
    match &cases[index.unwrap()].answer {
        Answer::Raw(bytes) => bytes.clone(),
        Answer::Json { status, body } => with_header(*status, "location: /PLANTED-elsewhere", body),
    }
}
