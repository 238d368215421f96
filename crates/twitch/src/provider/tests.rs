use std::time::UNIX_EPOCH;

use http::StatusCode;
use oauth_core::{ErrorCode, ErrorCode::*};

use super::*;

fn refusal(endpoint: EndpointKind, status: u16, body: &str) -> Option<OAuthError> {
    let mut response = http::Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Twitch::new().error_response(endpoint, &response)
}

fn code(endpoint: EndpointKind, status: u16, body: &str) -> Option<ErrorCode> {
    refusal(endpoint, status, body).map(|error| error.code().clone())
}

fn of_message(message: &str) -> ErrorCode {
    let body = serde_json::json!({"status": 400, "message": message}).to_string();
    code(EndpointKind::Token, 400, &body).unwrap()
}

#[test]
fn messages_become_codes_in_any_letter_case() {
    for (message, want) in [
        ("Invalid refresh token", InvalidGrant),
        ("Invalid grant", InvalidGrant),
        ("Invalid authorization code", InvalidGrant),
        ("invalid device code", InvalidGrant),
        ("INVALID DEVICE CODE", InvalidGrant),
        ("missing client secret", InvalidClient),
        ("invalid client secret", InvalidClient),
        ("invalid client", InvalidClient),
        ("client does not exist", InvalidClient),
        (
            "Parameter redirect_uri does not match registered URI",
            InvalidRequest,
        ),
        ("missing device_code", InvalidRequest),
        ("invalid scope requested", InvalidScope),
        ("authorization_pending", AuthorizationPending),
        ("slow_down", SlowDown),
        ("access_denied", AccessDenied),
        ("authorization_declined", AccessDenied),
        ("expired_token", ExpiredToken),
        (" invalid_grant ", InvalidGrant),
    ] {
        assert_eq!(of_message(message), want, "{message}");
    }
}

#[test]
fn an_unknown_message_is_kept_as_text_and_is_no_code() {
    let error = refusal(
        EndpointKind::Token,
        400,
        r#"{"status":400,"message":"half past nine"}"#,
    )
    .unwrap();
    assert_eq!(error.code(), &ErrorCode::new("provider_error"));
    assert_eq!(error.description(), Some("half past nine"));
    assert_eq!(
        of_message("Invalid token"),
        ErrorCode::new("provider_error"),
        "only where tokens are revoked"
    );
}

#[test]
fn the_reason_phrase_is_never_a_code() {
    let with = r#"{"error":"Bad Request","status":400,"message":"Invalid refresh token"}"#;
    let without = r#"{"status":400,"message":"Invalid refresh token"}"#;
    assert_eq!(
        code(EndpointKind::Token, 400, with),
        code(EndpointKind::Token, 400, without)
    );
    let contradicting = r#"{"error":"access_denied","message":"authorization_pending"}"#;
    assert_eq!(
        code(EndpointKind::Token, 400, contradicting),
        Some(AuthorizationPending)
    );
    assert_eq!(
        code(
            EndpointKind::Token,
            400,
            r#"{"error":"Bad Request","status":400}"#
        ),
        None
    );
    assert_eq!(
        code(EndpointKind::Token, 400, r#"{"error":"slow_down"}"#),
        Some(SlowDown),
        "the RFC's spelling"
    );
}

#[test]
fn a_status_speaks_where_the_words_are_unknown() {
    for body in ["", "{}", r#"{"status":401,"message":"whatever"}"#] {
        assert_eq!(
            code(EndpointKind::Token, 401, body),
            Some(InvalidGrant),
            "{body}"
        );
        assert_eq!(
            code(EndpointKind::Token, 403, body),
            Some(InvalidClient),
            "{body}"
        );
        assert_eq!(code(VALIDATE, 401, body), Some(InvalidToken), "{body}");
    }
    let named = r#"{"status":401,"message":"invalid client"}"#;
    assert_eq!(
        code(EndpointKind::Token, 401, named),
        Some(InvalidClient),
        "words go first"
    );
    assert_eq!(
        code(EndpointKind::Token, 401, "<html>proxy</html>"),
        None,
        "that was not Twitch"
    );
    for nothing in [
        "",
        "[]",
        "null",
        "x",
        r#"{"message":7}"#,
        r#"{"message":null}"#,
    ] {
        assert_eq!(code(EndpointKind::Token, 400, nothing), None, "{nothing}");
    }
}

#[test]
fn the_endpoints_are_fixed_and_agree_with_discovery() {
    let discovery: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/fixtures/discovery.200.json")).unwrap();
    let twitch = Twitch::new();
    let endpoints = twitch.endpoints();
    assert_eq!(discovery["token_endpoint"], endpoints.token().as_str());
    assert_eq!(
        discovery["authorization_endpoint"],
        endpoints.authorization().unwrap().as_str()
    );
    assert_eq!(
        discovery["userinfo_endpoint"],
        endpoints.userinfo().unwrap().as_str()
    );
    assert_eq!(discovery["jwks_uri"], twitch.jwks_uri());
    assert_eq!(discovery["issuer"], endpoints.issuer().unwrap());
    assert_eq!(
        discovery["token_endpoint_auth_methods_supported"],
        serde_json::json!(["client_secret_post"])
    );
    assert_eq!(
        endpoints.device_authorization().unwrap().as_str(),
        "https://id.twitch.tv/oauth2/device"
    );
    assert_eq!(
        endpoints.revocation().unwrap().as_str(),
        "https://id.twitch.tv/oauth2/revoke"
    );
    assert_eq!(
        twitch.validate_endpoint().as_str(),
        "https://id.twitch.tv/oauth2/validate"
    );
    assert_eq!(
        twitch.helix_endpoint().as_str(),
        "https://api.twitch.tv/helix/"
    );
}

#[test]
fn an_emulator_is_on_this_machine() {
    for good in [
        "http://127.0.0.1:8080",
        "http://localhost:1/",
        "http://[::1]:1",
    ] {
        assert!(Twitch::at(good).is_ok(), "{good}");
    }
    for bad in [
        "https://id.twitch.tv",
        "https://127.0.0.1",
        "http://example.com",
        "http://127.0.0.1/?a=b",
        "id.twitch.tv",
        "",
    ] {
        assert!(Twitch::at(bad).is_err(), "{bad}");
    }
    let twitch = Twitch::at("http://127.0.0.1:8080/").unwrap();
    assert_eq!(
        twitch.validate_endpoint().as_str(),
        "http://127.0.0.1:8080/oauth2/validate"
    );
    assert_eq!(
        twitch.helix_endpoint().as_str(),
        "http://127.0.0.1:8080/helix/"
    );
}

#[test]
fn the_reset_counts_when_the_budget_is_spent() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000);
    let wait = |headers: &[(&'static str, &str)]| {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Twitch::new().retry_after(&headers.collect(), now)
    };
    let spent = ("ratelimit-remaining", "0");
    assert_eq!(
        wait(&[spent, ("ratelimit-reset", "1002")]),
        Some(Duration::from_secs(2))
    );
    assert_eq!(
        wait(&[spent, ("ratelimit-reset", "1002"), ("retry-after", "7")]),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        wait(&[("ratelimit-remaining", "3"), ("ratelimit-reset", "1002")]),
        None
    );
    assert_eq!(wait(&[spent]), None);
}
