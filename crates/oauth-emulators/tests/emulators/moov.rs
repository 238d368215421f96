use std::time::Duration;

use oauth_emulators::Emulator;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, send, text};

const TOKEN: &str = "/oauth2/token";
const REVOKE: &str = "/oauth2/revoke";
const ORIGIN: (&str, &str) = ("origin", "https://example.com");

fn keys() -> Value {
    json!({"client_id": "demo", "client_secret": "demo-secret"})
}

fn with_keys(mut body: Value) -> Value {
    body.as_object_mut()
        .unwrap()
        .extend(keys().as_object().unwrap().clone());
    body
}

fn wanted() -> Value {
    json!({"grant_type": "client_credentials", "scope": "/accounts.read /ping.read"})
}

async fn post(caller: &Caller<'_>, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let request = caller.request("POST", path).json(body);
    send(headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    }))
    .await
}

async fn token(caller: &Caller<'_>) -> Value {
    post(caller, TOKEN, &with_keys(wanted()), &[ORIGIN])
        .await
        .ok()
}

#[tokio::test]
async fn json_or_form_with_keys_in_the_body_in_basic_or_in_both() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let request = || caller.request("POST", TOKEN).header(ORIGIN.0, ORIGIN.1);
    let basic = |request: reqwest::RequestBuilder| request.basic_auth("demo", Some("demo-secret"));
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "/ping.read"),
    ];
    for request in [
        request().json(&with_keys(wanted())),
        basic(request().json(&wanted())),
        basic(request().json(&with_keys(wanted()))),
        basic(request().form(&form)),
    ] {
        let answer = send(request).await;
        assert!(!answer.header("x-request-id").is_empty());
        let body = answer.ok();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["refresh_token"].is_string(), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
    }
    send(request().json(&wanted())).await.is_empty(401);
    send(request().json(&wanted()).basic_auth("demo", Some("wrong")))
        .await
        .is_empty(401);
    let both = request()
        .json(&with_keys(wanted()))
        .basic_auth("demo", Some("wrong"));
    send(both).await.is_empty(401);
    // Half a pair has to be half of the one in Basic.
    for (member, value, status) in [
        ("client_id", "demo", 200),
        ("client_id", "other", 401),
        ("client_secret", "demo-secret", 200),
        ("client_secret", "other", 401),
    ] {
        let mut body = wanted();
        body[member] = value.into();
        let answer = send(basic(request().json(&body))).await;
        assert_eq!(answer.status, status, "{member} {value}");
        send(request().json(&body)).await.is_empty(401);
    }
}

#[tokio::test]
async fn only_a_listed_origin_or_referer_gets_a_token() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (headers, status) in [
        (vec![], 403),
        (vec![("origin", "https://example.com/")], 403),
        (vec![("origin", "https://example.com/shop")], 403),
        (vec![("origin", "https://other.example")], 403),
        (vec![("origin", "example.com")], 403),
        (vec![("referer", "https://other.example/shop")], 403),
        (
            vec![
                ("origin", "https://other.example"),
                ("referer", "https://example.com/"),
            ],
            403,
        ),
        (vec![("referer", "https://example.com/shop?x=1")], 200),
        (vec![("origin", "http://localhost:3000")], 200),
    ] {
        let answer = post(&caller, TOKEN, &with_keys(wanted()), &headers).await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.body.is_empty(), status == 403, "{headers:?}");
    }
}

#[tokio::test]
async fn versions_belong_into_the_header() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let body = with_keys(wanted());
    post(&caller, "/v1/oauth2/token", &body, &[ORIGIN])
        .await
        .is_empty(403);
    for (version, status) in [
        ("v2026.07.00", 200),
        ("dev", 200),
        ("v9000.00.00", 200),
        ("v2026.07.0", 400),
        ("latest", 400),
    ] {
        let answer = post(
            &caller,
            TOKEN,
            &body,
            &[ORIGIN, ("x-moov-version", version)],
        )
        .await;
        assert_eq!(answer.status, status, "{version}");
        if status == 400 {
            assert!(answer.json()["error"].is_string());
        }
    }
}

#[tokio::test]
async fn faults_of_fields_are_told_by_field() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (body, status, member) in [
        (json!({"grant_type": "client_credentials"}), 422, "scope"),
        (
            json!({"grant_type": "client_credentials", "scope": "/accounts/{accountID}/cards.read"}),
            422,
            "scope",
        ),
        (json!({"grant_type": "refresh_token"}), 422, "refresh_token"),
        (
            json!({"grant_type": "refresh_token", "refresh_token": "dead"}),
            422,
            "refresh_token",
        ),
        (json!({"grant_type": "password"}), 400, "error"),
        (json!({}), 400, "error"),
        (json!({"grant_type": 7}), 400, "error"),
    ] {
        let answer = post(&caller, TOKEN, &with_keys(body.clone()), &[ORIGIN]).await;
        assert_eq!(answer.status, status, "{body}");
        let told = answer.json();
        assert_eq!(
            told.as_object().unwrap().keys().collect::<Vec<_>>(),
            [member],
            "{body}"
        );
    }
    let text = caller
        .request("POST", TOKEN)
        .header(ORIGIN.0, ORIGIN.1)
        .body("grant_type=x");
    assert_eq!(
        send(text.header("content-type", "text/plain")).await.status,
        400
    );
}

#[tokio::test]
async fn expires_in_is_a_point_of_time_or_seconds() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let now = emulator.clock().epoch_seconds();
    let until = token(&caller).await["expires_in"].as_u64().unwrap();
    assert!((now + 890..now + 1000).contains(&until), "{until}");
    caller
        .control(
            "POST",
            "switches",
            json!({"expires_in_as_unix_time": false}),
        )
        .await;
    assert_eq!(token(&caller).await["expires_in"], 900);
}

#[tokio::test]
async fn refresh_tokens_come_with_client_credentials_and_rotate() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let first = token(&caller).await;
    let refresh =
        |token: &str| with_keys(json!({"grant_type": "refresh_token", "refresh_token": token}));
    let body = refresh(text(&first, "refresh_token"));
    let second = post(&caller, TOKEN, &body, &[ORIGIN]).await.ok();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let mut scopes: Vec<_> = text(&second, "scope").split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["/accounts.read", "/ping.read"]);
    assert_eq!(post(&caller, TOKEN, &body, &[ORIGIN]).await.status, 422);
}

#[tokio::test]
async fn revocation_answers_204_to_json_and_form() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let granted = token(&caller).await;
    let access = text(&granted, "access_token");
    let ping = || async {
        let bearer = format!("Bearer {access}");
        caller
            .with("/ping", &[("authorization", bearer.as_str()), ORIGIN])
            .await
            .status
    };
    assert_eq!(ping().await, 200);
    let body = json!({"token": access, "token_type_hint": "access_token"});
    let request = caller.request("POST", REVOKE).json(&body);
    send(request.basic_auth("demo", Some("demo-secret")))
        .await
        .is_empty(204);
    assert_eq!(ping().await, 401);
    let form = [
        ("token", access),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
    ];
    caller.form(REVOKE, &form).await.is_empty(204);
    post(
        &caller,
        REVOKE,
        &with_keys(json!({"token_type_hint": "id_token"})),
        &[],
    )
    .await
    .is(
        422,
        json!({"token": "is required", "token_type_hint": "must be access_token or refresh_token"}),
    );
    post(&caller, REVOKE, &json!({"token": access}), &[])
        .await
        .is_empty(401);
}

#[tokio::test]
async fn the_api_checks_token_origin_and_scope() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let body = with_keys(
        json!({"grant_type": "client_credentials", "scope": "/accounts/7a/profile.read"}),
    );
    let granted = post(&caller, TOKEN, &body, &[ORIGIN]).await.ok();
    let bearer = format!("Bearer {}", text(&granted, "access_token"));
    let bearer = ("authorization", bearer.as_str());
    caller.with("/accounts/7a", &[bearer]).await.is_empty(403);
    assert_eq!(
        caller.with("/accounts/7a", &[bearer, ORIGIN]).await.ok()["accountID"],
        "7a"
    );
    caller
        .with("/accounts/8b", &[bearer, ORIGIN])
        .await
        .is_empty(403);
    caller.with("/ping", &[ORIGIN]).await.is_empty(401);
    emulator.clock().advance(Duration::from_secs(901));
    caller
        .with("/accounts/7a", &[bearer, ORIGIN])
        .await
        .is_empty(401);
}

#[tokio::test]
async fn too_many_requests_get_an_empty_429() {
    let emulator = Emulator::moov().rate_limit(0).start().await.unwrap();
    let caller = Caller::new(&emulator);
    post(&caller, TOKEN, &with_keys(wanted()), &[ORIGIN])
        .await
        .is_empty(429);
}

#[tokio::test]
async fn the_key_pair_opens_the_api_and_comes_before_all_else() {
    let emulator = Emulator::moov().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for (secret, status) in [("demo-secret", 200), ("wrong", 401)] {
        let ping = caller.request("GET", "/ping");
        send(ping.basic_auth("demo", Some(secret)))
            .await
            .is_empty(status);
    }
    // Nothing is told about fields to somebody who is not known.
    for path in [TOKEN, REVOKE] {
        let request = caller.request("POST", path).json(&json!({}));
        let request = request.header(ORIGIN.0, ORIGIN.1);
        send(request.basic_auth("demo", Some("wrong")))
            .await
            .is_empty(401);
    }
}
