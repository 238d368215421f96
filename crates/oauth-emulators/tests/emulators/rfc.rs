use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
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
        ("scope", "openid profile read"),
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
        "Bearer realm=\"oauth\", error=\"invalid_token\", \
         error_description=\"the access token is not known\""
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

/// A code of `demo` for these scopes, redeemed.
async fn tokens_of_a_person(caller: &Caller<'_>, scope: &str) -> serde_json::Value {
    let wanted = json!({
        "redirect_uri": "https://example.com/callback", "scope": scope, "nonce": "n-0S6",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    });
    let code = caller.control("POST", "codes", wanted).await.ok();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
        ("code", text(&code, "code")),
        ("redirect_uri", "https://example.com/callback"),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ];
    caller.form("/token", &form).await.ok()
}

/// A part of a JWT, its signature not looked at.
fn part(token: &str, index: usize) -> serde_json::Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn it_is_an_openid_provider() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let discovery = caller.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(
        Some(text(&discovery, "jwks_uri").to_owned()),
        emulator.endpoint("jwks")
    );

    let tokens = tokens_of_a_person(&caller, "openid email").await;
    let id_token = text(&tokens, "id_token");
    let claims = part(id_token, 1);
    for (claim, value) in [
        ("iss", emulator.base_url()),
        ("aud", "demo"),
        ("sub", "demo-user"),
        ("nonce", "n-0S6"),
    ] {
        assert_eq!(claims[claim], value);
    }
    let plain = tokens_of_a_person(&caller, "read").await;
    assert_eq!(plain.get("id_token"), None);
    assert!(!text(&plain, "access_token").contains('.'));
}

#[tokio::test]
async fn its_keys_rotate() {
    let emulator = Emulator::rfc().start().await.unwrap();
    let caller = Caller::new(&emulator);
    let published = async || {
        let keys = caller.get("/jwks").await.ok()["keys"].take();
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| text(key, "kid").to_owned())
            .collect::<Vec<_>>()
    };
    let first = published().await;
    let rotate = async |body| caller.control("POST", "keys", body).await;
    let rsa = rotate(json!({"algorithm": "RS256", "keep": 1})).await.ok();
    let rsa = text(&rsa, "kid").to_owned();
    assert_eq!(published().await, [rsa.clone(), first[0].clone()]);
    let tokens = tokens_of_a_person(&caller, "openid").await;
    let header = part(text(&tokens, "id_token"), 0);
    assert_eq!(
        (&header["alg"], &header["kid"]),
        (&json!("RS256"), &json!(rsa))
    );

    let next = emulator.rotate_key("EdDSA", 0).await.unwrap();
    assert_eq!(published().await, [next]);
    assert!(emulator.rotate_key("HS256", 0).await.is_err());
    let twitch = Emulator::twitch().start().await.unwrap();
    assert!(twitch.rotate_key("ES256", 0).await.is_err());
}

#[tokio::test]
async fn a_client_may_get_signed_access_tokens() {
    let client = oauth_emulators::Client::new("demo").jwt_access_tokens(true);
    let emulator = Emulator::rfc().client(client).start().await.unwrap();
    let caller = Caller::new(&emulator);
    let tokens = tokens_of_a_person(&caller, "read").await;
    let token = text(&tokens, "access_token");
    assert_eq!(part(token, 0)["typ"], "at+jwt");
    let claims = part(token, 1);
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("demo-user"), &json!("demo"))
    );
    let introspect = caller
        .request("POST", "/introspect")
        .form(&[("token", token)]);
    let told = send(introspect.basic_auth("rs", Some("rs-secret")))
        .await
        .ok();
    assert_eq!(told["active"], true);
}
