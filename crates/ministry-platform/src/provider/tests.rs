use std::time::SystemTime;

use http::StatusCode;
use oauth_core::{ErrorCode, ErrorKind};
use serde_json::json;

use super::*;

fn answer(status: u16, body: impl Into<Bytes>) -> http::Response<Bytes> {
    let mut answer = http::Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn church() -> MinistryPlatform {
    MinistryPlatform::new("https://my.church.org").unwrap()
}

#[test]
fn every_form_of_the_base_url_is_one() {
    for form in [
        "my.church.org",
        "my.church.org/",
        "https://my.church.org",
        "https://my.church.org/",
        "https://my.church.org/ministryplatformapi",
        " https://my.church.org/ministryplatformapi/ ",
        "my.church.org/ministryplatformapi",
    ] {
        let church = MinistryPlatform::new(form).unwrap();
        assert_eq!(
            church.base_url().as_str(),
            "https://my.church.org/ministryplatformapi",
            "{form}"
        );
        assert_eq!(
            church.endpoints().revocation().unwrap().as_str(),
            "https://my.church.org/ministryplatformapi/oauth/connect/revocation"
        );
        assert_eq!(
            church.endpoints().issuer(),
            Some("https://my.church.org/ministryplatformapi/oauth")
        );
    }
    assert!(MinistryPlatform::new("http://127.0.0.1:8080").is_ok());
}

#[test]
fn another_address_is_refused_with_a_hint() {
    for retired in [
        "https://my.church.org/ministryplatform/oauth",
        "https://my.church.org/ministryplatform/oauth/token",
        "https://my.church.org/MinistryPlatform",
    ] {
        let error = MinistryPlatform::new(retired).unwrap_err();
        assert!(
            error.to_string().contains("retired")
                && error.to_string().contains("/ministryplatformapi"),
            "{error}"
        );
    }
    for bad in [
        "",
        "http://my.church.org",
        "ftp://my.church.org",
        "https://user:pw@my.church.org",
        "https://my.church.org/?a=b",
        "https://my.church.org/#a",
        "https://my.church.org/ministryplatformapi/oauth/connect/token",
        "https://my.church.org/other",
        "https://my.church.org/other/ministryplatformapi",
        "https://my.church.org/ministryplatformapi/ministryplatformapi",
    ] {
        assert_eq!(
            MinistryPlatform::new(bad).unwrap_err().kind(),
            crate::ErrorKind::Usage,
            "{bad}"
        );
    }
}

#[test]
fn lifetimes() {
    let lifetime = |members: Value| {
        let context = TokenContext::new(SystemTime::UNIX_EPOCH);
        let token = church().token_response(&answer(200, members.to_string()), &context)?;
        Ok::<_, oauth_core::Error>(token.expires_in(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    };
    assert_eq!(lifetime(json!({"access_token": "a"})).unwrap(), 3600);
    for (value, seconds) in [
        (json!(1800), 1800),
        (json!("1800"), 1800),
        (json!(null), 3600),
        (json!("soon"), 3600),
        (json!(""), 3600),
        (json!(true), 3600),
        (json!([60]), 3600),
        (json!({}), 3600),
        (json!(0), 30),
        (json!("5"), 30),
        (json!(29.9), 30),
        (json!(31), 31),
        (json!("99999999999999999999999"), 315_360_000),
    ] {
        assert_eq!(
            lifetime(json!({"access_token": "a", "expires_in": value})).unwrap(),
            seconds,
            "{value}"
        );
    }
    let error = lifetime(json!({"access_token": "a", "expires_in": -1})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
fn both_shapes_of_a_refusal_are_read() {
    let code = |endpoint, status, body: &str| {
        let error = church().error_response(endpoint, &answer(status, body.to_owned()));
        error.map(|error| error.code().as_str().to_owned())
    };
    let api = EndpointKind::Other("api");
    for (endpoint, status, body, expected) in [
        (
            EndpointKind::Token,
            400,
            r#"{"error":"invalid_client"}"#,
            Some("invalid_client"),
        ),
        (
            EndpointKind::Token,
            400,
            r#"{"Message":"An error has occurred."}"#,
            Some("message"),
        ),
        (
            EndpointKind::Token,
            401,
            r#"{"Message":"No."}"#,
            Some("message"),
        ),
        (
            api,
            401,
            r#"{"message":"Authorization has been denied for this request."}"#,
            Some("invalid_token"),
        ),
        (
            api,
            500,
            r#"{"MESSAGE":"IDX10223: The token is expired. Now"}"#,
            Some("invalid_token"),
        ),
        (
            api,
            400,
            "\u{feff}{\"Message\":\"Signature validation failed.\"}",
            Some("invalid_token"),
        ),
        (
            api,
            403,
            r#"{"Message":"No role"}"#,
            Some("insufficient_scope"),
        ),
        (
            api,
            500,
            r#"{"Message":"Invalid column name 'X'."}"#,
            Some("invalid_query"),
        ),
        (
            api,
            500,
            r#"{"Message":"Incorrect syntax near '='."}"#,
            Some("invalid_query"),
        ),
        (
            api,
            500,
            r#"{"Message":"Timeout expired."}"#,
            Some("message"),
        ),
        (api, 500, r#"{"Message":7}"#, None),
        (api, 500, "<html>Message</html>", None),
        (api, 500, "[]", None),
    ] {
        assert_eq!(
            code(endpoint, status, body).as_deref(),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn a_challenge_is_read_when_the_body_is_silent() {
    let mut silent = answer(401, "");
    silent.headers_mut().insert(
        http::header::WWW_AUTHENTICATE,
        "Bearer error=\"invalid_token\"".parse().unwrap(),
    );
    let error = church()
        .error_response(EndpointKind::UserInfo, &silent)
        .unwrap();
    assert_eq!(error.code(), &ErrorCode::InvalidToken);
}

#[test]
fn a_blank_token_goes_nowhere() {
    let mut headers = HeaderMap::new();
    assert!(
        church()
            .authorize_request(&AccessToken::new("  ").unwrap(), &mut headers)
            .is_err()
    );
    assert!(headers.is_empty());
}

#[test]
fn pkce_is_a_switch() {
    assert!(!church().capabilities().contains(Capability::Pkce));
    assert!(
        church()
            .with_pkce(true)
            .capabilities()
            .contains(Capability::Pkce)
    );
}
