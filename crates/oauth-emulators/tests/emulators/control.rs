use std::time::Duration;

use oauth_emulators::{Client, Emulator};
use serde_json::{Value, json};

use crate::support::{Caller, send, text};

const APP: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "demo"),
    ("client_secret", "demo-secret"),
];

async fn every_emulator() -> Vec<Emulator> {
    vec![
        Emulator::twitch().start().await.unwrap(),
        Emulator::moov().start().await.unwrap(),
        Emulator::ministry_platform().start().await.unwrap(),
        Emulator::rfc().start().await.unwrap(),
    ]
}

fn token_path(emulator: &Emulator) -> String {
    let url = emulator.endpoint("token").unwrap();
    url.strip_prefix(emulator.base_url()).unwrap().to_owned()
}

#[tokio::test]
async fn info_is_all_that_a_program_needs() {
    for emulator in every_emulator().await {
        let info = emulator.info();
        assert_eq!(text(&info, "base_url"), emulator.base_url());
        assert_eq!(
            text(&info, "control_url"),
            format!("{}/_control/", emulator.base_url())
        );
        assert_eq!(text(&info, "client_secret"), "demo-secret");
        assert!(
            text(&info["endpoints"], "token").starts_with(emulator.base_url()),
            "{info}"
        );
    }
}

#[tokio::test]
async fn scripted_answers_come_in_order_and_keep_the_server_out() {
    for emulator in every_emulator().await {
        let caller = Caller::new(&emulator);
        let path = token_path(&emulator);
        let script = json!({"path": path, "times": 2, "status": 503, "headers": {"retry-after": "7"}, "body": "<html>"});
        caller.control("POST", "faults", script).await;
        caller
            .control("POST", "faults", json!({"method": "POST", "status": 429}))
            .await;
        for _ in 0..2 {
            let answer = caller.form(&path, &APP).await;
            assert_eq!((answer.status, answer.body.as_str()), (503, "<html>"));
            assert_eq!(answer.header("retry-after"), "7");
        }
        caller.form(&path, &APP).await.is_empty(429);
        assert!(caller.form(&path, &APP).await.status < 429);
        assert_eq!(emulator.requests().len(), 4);
    }
}

#[tokio::test]
async fn a_cut_connection_is_cut_before_or_after_the_deed() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let stored = || async {
        let dump = caller.control("GET", "store", json!({})).await.json();
        dump["access_tokens"]
            .to_string()
            .matches("expires_at")
            .count()
    };
    for (script, tokens) in [("close", 0), ("commit_then_close", 1)] {
        caller
            .control("POST", "faults", json!({script: true}))
            .await;
        let request = caller.request("POST", "/token").form(&APP).send().await;
        let error = request.expect_err("the connection was to be cut");
        assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
        assert_eq!(stored().await, tokens, "{script}");
    }
    caller
        .control("POST", "faults", json!({"commit_then_status": 502}))
        .await;
    caller.form("/token", &APP).await.is_empty(502);
    assert_eq!(stored().await, 2);
}

#[tokio::test]
async fn a_store_that_is_down_is_no_verdict() {
    for emulator in every_emulator().await {
        let caller = Caller::new(&emulator);
        let path = token_path(&emulator);
        emulator
            .script_fault(json!({"server": "store_down"}))
            .unwrap();
        let mut form = APP.to_vec();
        form.push(("scope", "/ping.read"));
        let ask = || {
            let scope = if emulator.info()["provider"] == "moov" {
                4
            } else {
                3
            };
            let request = caller.request("POST", &path).form(&form[..scope]);
            send(request.header("origin", "https://example.com"))
        };
        let down = ask().await;
        assert!(down.status >= 500, "{emulator:?}: {down:?}");
        ask().await.ok();
    }
}

#[tokio::test]
async fn each_look_at_the_records_can_fail() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (server, status) in [("store_down", 503), ("panic", 500)] {
        for after in 0..2 {
            let fault = json!({"server": server, "after": after});
            emulator.script_fault(fault).unwrap();
            let answer = caller.form("/token", &APP).await;
            assert_eq!(answer.status, status, "{server} after {after}: {answer:?}");
        }
        let later = json!({"server": server, "after": 100});
        emulator.script_fault(later).unwrap();
        caller.form("/token", &APP).await.ok();
    }
}

#[tokio::test]
async fn requests_are_recorded_with_their_secrets_masked() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let request = caller.request("POST", "/token?token=PLANTED").form(&APP);
    send(request.basic_auth("demo", Some("PLANTED"))).await;
    let recorded = caller.control("GET", "requests", json!({})).await;
    assert!(!recorded.body.contains("PLANTED") && !recorded.body.contains("demo-secret"));
    let recorded = recorded.json();
    assert_eq!(recorded[0]["headers"]["authorization"], "Basic ***");
    assert_eq!(recorded[0]["query"], json!([["token", "***"]]));
    assert_eq!(recorded[0]["form"][2], json!(["client_secret", "***"]));
    assert_eq!(
        recorded[0]["content_type"],
        "application/x-www-form-urlencoded"
    );
    caller.control("DELETE", "requests", json!({})).await;
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn the_clock_moves_both_ways() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let real = oauth_emulators::Clock::default().epoch_seconds();
    for (advance, shift) in [(100_000, 100_000), (-300_000, -200_000_i64)] {
        let now = caller
            .control("POST", "clock", json!({"advance_seconds": advance}))
            .await;
        let now = now.json()["now"].as_i64().unwrap() - i64::try_from(real).unwrap();
        assert!((now - shift).abs() < 1000, "{now}");
    }
    let extreme = json!({"advance_seconds": i64::MIN});
    caller.control("POST", "clock", extreme).await;
    caller.form("/token", &APP).await;
    caller
        .control("POST", "clock", json!({"advance_seconds": i64::MAX}))
        .await;
    caller.form("/token", &APP).await;
}

#[tokio::test]
async fn killed_tokens_are_dead_and_the_store_holds_no_secret() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let form = [
        ("grant_type", "password"),
        ("username", "demo"),
        ("password", "demo"),
        ("scope", "openid"),
        ("client_id", "svc"),
        ("client_secret", "svc-secret"),
    ];
    let token = caller.form("/token", &form).await.ok();
    let (access, refresh) = (text(&token, "access_token"), text(&token, "refresh_token"));
    let dump = caller.control("GET", "store", json!({})).await.body;
    for secret in [access, refresh, "svc-secret"] {
        assert!(!dump.contains(secret), "{dump}");
    }
    let bearer = format!("Bearer {access}");
    let userinfo = || async {
        let headers = [("authorization", bearer.as_str())];
        caller.with("/userinfo", &headers).await
    };
    userinfo().await.ok();
    caller.control("DELETE", "tokens", json!({})).await;
    assert_eq!(userinfo().await.status, 401);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", "svc"),
        ("client_secret", "svc-secret"),
    ];
    let token = caller.form("/token", &form).await.ok();
    let mut form = form;
    form[1].1 = text(&token, "refresh_token");
    caller
        .control("DELETE", "tokens?kind=refresh", json!({}))
        .await;
    assert_eq!(
        text(&caller.form("/token", &form).await.json(), "error"),
        "invalid_grant"
    );
}

#[tokio::test]
async fn state_starts_over() {
    let emulator = Emulator::twitch().rate_limit(7).start().await.unwrap();
    let caller = Caller::new(&emulator);
    let token = caller.form("/oauth2/token", &APP).await.ok();
    let validate = || {
        let header = format!("OAuth {}", text(&token, "access_token"));
        let caller = Caller::new(&emulator);
        async move {
            caller
                .with("/oauth2/validate", &[("authorization", &header)])
                .await
                .status
        }
    };
    assert_eq!(validate().await, 200);
    caller
        .control(
            "POST",
            "clients",
            json!({"client_id": "extra", "client_secret": "s"}),
        )
        .await;
    caller
        .control("POST", "switches", json!({"rate_limit": 1}))
        .await;
    caller
        .control("POST", "clock", json!({"advance_seconds": 1000}))
        .await;
    caller
        .control("POST", "faults", json!({"status": 500, "times": 9}))
        .await;
    caller.control("DELETE", "state", json!({})).await;
    assert!(emulator.requests().is_empty());
    assert_eq!(validate().await, 401);
    let real = oauth_emulators::Clock::default().epoch_seconds();
    assert!(emulator.clock().epoch_seconds() < real + 500);
    let form = [APP[0], ("client_id", "extra"), ("client_secret", "s")];
    assert_eq!(
        text(&caller.form("/oauth2/token", &form).await.json(), "message"),
        "invalid client"
    );
}

#[tokio::test]
async fn the_control_refuses_what_it_does_not_know() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (method, name, body, status) in [
        ("POST", "faults", json!({"status": 500, "tiems": 2}), 400),
        ("POST", "switches", json!({"dney": true}), 400),
        (
            "POST",
            "devices",
            json!({"user_code": "X", "action": "approve"}),
            404,
        ),
        (
            "POST",
            "codes",
            json!({"redirect_uri": "https://elsewhere.example"}),
            400,
        ),
        ("POST", "clients", json!({"client_id": ""}), 400),
        ("GET", "secrets", Value::Null, 404),
        ("DELETE", "tokens?kind=all", Value::Null, 400),
    ] {
        let request = caller
            .request(method, &format!("/_control/{name}"))
            .json(&body);
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.json()["error"].is_string(), "{name}");
    }
}

#[tokio::test]
async fn the_control_quotes_nothing() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (name, body) in [
        ("clients", json!({"client_id": "c", "disabled": "PLANTED"})),
        ("switches", json!({"deny": "PLANTED"})),
        ("switches", json!({"PLANTED": true})),
        ("codes", json!("PLANTED")),
    ] {
        let request = caller.request("POST", &format!("/_control/{name}"));
        let answer = send(request.json(&body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.body.contains("PLANTED"), "{answer:?}");
        let places = answer.body.contains("line 1, column");
        assert_eq!(places, name != "switches", "{answer:?}");
    }
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    let address = "0.0.0.0:0".parse().unwrap();
    let refused = Emulator::rfc().listen(address).start().await.unwrap_err();
    let source = std::error::Error::source(&refused).unwrap();
    assert_eq!(source.to_string(), "0.0.0.0:0 is not a loopback address");
}

#[tokio::test]
async fn nothing_listens_after_the_end() {
    let client = Client::new("extra").secret("extra-secret");
    let emulator = Emulator::rfc().client(client).start().await.unwrap();
    let address = emulator
        .base_url()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    assert_eq!(
        Caller::new(&emulator).form("/token", &APP).await.status,
        200
    );
    tokio::time::timeout(Duration::from_secs(10), emulator.stop())
        .await
        .unwrap();
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
    // The address is free again.
    let address = address.parse().unwrap();
    Emulator::rfc().listen(address).start().await.unwrap();
}

#[tokio::test]
async fn too_large_a_body_is_refused() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let sent = caller
        .request("POST", "/oauth2/token")
        .body(vec![b' '; 1 << 21]);
    // The server stops reading, so the client may see the answer or only the end.
    if let Ok(answer) = sent.send().await {
        assert_eq!(answer.status(), 413);
    }
    assert!(emulator.requests().is_empty());
}
