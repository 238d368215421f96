use std::time::Duration;

use oauth_emulators::Emulator;
use serde_json::json;

use crate::support::{Answer, Caller, send, text};

async fn service_token(caller: &Caller<'_>, client_id: &str, secret: &str) -> Answer {
    let request = caller.request("POST", "/token");
    let request = request.form(&[("grant_type", "client_credentials")]);
    send(request.basic_auth(client_id, Some(secret))).await
}

#[tokio::test]
async fn metadata_names_what_answers() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let document = caller
        .get("/.well-known/oauth-authorization-server")
        .await
        .ok();
    assert_eq!(text(&document, "issuer"), emulator.base_url());
    for (member, name) in [
        ("token_endpoint", "token"),
        ("introspection_endpoint", "introspect"),
        ("revocation_endpoint", "revoke"),
        ("device_authorization_endpoint", "device"),
        ("authorization_endpoint", "authorize"),
        ("userinfo_endpoint", "userinfo"),
    ] {
        assert_eq!(
            Some(text(&document, member).to_owned()),
            emulator.endpoint(name)
        );
    }
}

#[tokio::test]
async fn the_demo_clients_may_do_what_they_are_for() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let svc = service_token(&caller, "svc", "svc-secret").await;
    assert_eq!(svc.header("cache-control"), "no-store");
    let token = svc.ok();
    assert_eq!(token["scope"], "read");
    let token = [("token", text(&token, "access_token"))];
    let introspect = caller.request("POST", "/introspect").form(&token);
    let told = send(introspect.basic_auth("rs", Some("rs-secret")))
        .await
        .ok();
    assert_eq!(
        (&told["active"], &told["client_id"]),
        (&json!(true), &json!("svc"))
    );
    // Form-encoded first (RFC 6749 §2.3.1).
    let odd = service_token(&caller, "an%3Aidentifier", "%2B%25%26%2B+%3D%2Fs%C3%B6ren").await;
    odd.ok();
    for (client_id, secret, status, error) in [
        ("svc", "wrong", 401, "invalid_client"),
        ("disabled", "disabled-secret", 401, "invalid_client"),
        ("code-only", "code-only-secret", 400, "unauthorized_client"),
    ] {
        let answer = service_token(&caller, client_id, secret).await;
        assert_eq!(
            (answer.status, text(&answer.json(), "error")),
            (status, error)
        );
    }
}

#[tokio::test]
async fn the_old_secret_ends_after_an_hour() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    for secret in ["rotating-old", "rotating-new"] {
        service_token(&caller, "rotating", secret).await.ok();
    }
    emulator.clock().advance(Duration::from_secs(3600));
    assert_eq!(
        service_token(&caller, "rotating", "rotating-old")
            .await
            .status,
        401
    );
    service_token(&caller, "rotating", "rotating-new")
        .await
        .ok();
}

#[tokio::test]
async fn a_person_consents_at_once_and_userinfo_knows_them() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let redirect_uri = "http://127.0.0.1:4711/callback";
    let query = [
        ("client_id", "pub"),
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("scope", "openid read"),
        ("state", "s"),
        // The example of RFC 7636, appendix B.
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ];
    let sent = send(caller.request("GET", "/authorize").query(&query)).await;
    let location = reqwest::Url::parse(sent.header("location")).unwrap();
    let told = |name: &str| {
        let pair = location.query_pairs().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned())
    };
    assert_eq!(told("iss").as_deref(), Some(emulator.base_url()));
    assert_eq!(told("state").as_deref(), Some("s"));
    let code = told("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "pub"),
        ("code", &code),
        ("redirect_uri", redirect_uri),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ];
    let token = caller.form("/token", &form).await.ok();
    let bearer = format!("Bearer {}", text(&token, "access_token"));
    let known = caller
        .with("/userinfo", &[("authorization", &bearer)])
        .await
        .ok();
    assert_eq!(known["preferred_username"], "demo");
    let unknown = caller
        .with("/userinfo", &[("authorization", "Bearer dead")])
        .await;
    assert_eq!(
        unknown.header("www-authenticate"),
        "Bearer error=\"invalid_token\""
    );
    let denied = caller
        .request("GET", "/authorize")
        .query(&query)
        .query(&[("_deny", "1")]);
    assert!(
        send(denied)
            .await
            .header("location")
            .contains("error=access_denied")
    );
}

#[tokio::test]
async fn the_password_of_the_demo_user_is_taken() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let form = |password| {
        [
            ("grant_type", "password"),
            ("username", "demo"),
            ("password", password),
            ("client_id", "demo"),
            ("client_secret", "demo-secret"),
        ]
    };
    caller.form("/token", &form("demo")).await.ok();
    let wrong = caller.form("/token", &form("wrong")).await;
    assert_eq!(
        (wrong.status, text(&wrong.json(), "error")),
        (400, "invalid_grant")
    );
}
