use super::*;
use crate::{ErrorCode, ErrorKind, Token};
use proptest::prelude::*;
use serde_json::json;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn answer(body: impl Into<Bytes>) -> http::Response<Bytes> {
    http::Response::new(body.into())
}

fn read(body: impl Into<Bytes>) -> Result<TokenSet, Error> {
    TokenReader::new(&TokenContext::new(NOW)).read(&answer(body))
}

fn with_expires_in(value: Value) -> Result<Option<Duration>, Error> {
    let body =
        json!({"access_token": "a", "token_type": "bearer", "expires_in": value}).to_string();
    read(body).map(|token| token.expires_in(NOW))
}

#[test]
fn the_example_of_the_rfc_is_read_and_what_is_unknown_is_kept() {
    let token = read(
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example_is_bearer","expires_in":3600}"#
            .replace("example_is_bearer", "bEaReR"),
    )
    .unwrap();
    assert_eq!(
        token.access_token().expose_secret(),
        "2YotnFZFEjr1zCsicMWpAA"
    );
    let token = read(r#"{"access_token":"a","token_type":"bearer","x":{"y":[1]}}"#).unwrap();
    assert_eq!(token.extra()["x"], json!({"y": [1]}));
    let again = TokenSet::from_json(&token.to_json()).unwrap();
    assert_eq!(again, token);
}

#[test]
fn lifetimes() {
    let seconds = |n| Some(Duration::from_secs(n));
    for (value, lifetime) in [
        (json!(3600), seconds(3600)),
        (json!(null), None),
        (json!("0060"), seconds(60)),
        (json!(" 60 "), seconds(60)),
        (json!(3599.7), seconds(3599)),
        (json!(0), seconds(0)),
        (json!(u64::MAX), seconds(315_360_000)),
        (json!(1e30), seconds(315_360_000)),
        (json!("99999999999999999999999"), seconds(315_360_000)),
    ] {
        assert_eq!(with_expires_in(value.clone()).unwrap(), lifetime, "{value}");
    }
    for bad in [
        json!(-1),
        json!(true),
        json!([3600]),
        json!({}),
        json!("zzz"),
        json!("3600abc"),
        json!(""),
        json!("NaN"),
    ] {
        let error = with_expires_in(bad.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{bad}");
        assert!(error.to_string().contains("expires_in"), "{error}");
    }
}

#[test]
fn what_is_not_one_object_is_no_answer() {
    for bad in [
        "",
        " ",
        "null",
        "[]",
        "{}",
        "7",
        "{\"access_token\":",
        "{'a':1}",
        "{\"a\":1,}",
        "x({})",
        r#"{"access_token":"a","token_type":"bearer"} x"#,
        r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
        "<html>",
        r#"{"access_token":"\ud800","token_type":"bearer"}"#,
        r#"{"access_token":"a\r\nb","token_type":"bearer"}"#,
        r#"{"access_token":"a","token_type":"mac"}"#,
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","token_type":1}"#,
        r#"{"ACCESS_TOKEN":"a","token_type":"bearer"}"#,
        r#"{"access_token":"a","token_type":"bearer","refresh_token":{}}"#,
    ] {
        assert_eq!(read(bad).unwrap_err().kind(), ErrorKind::Protocol, "{bad}");
    }
    assert!(read(b"{\"access_token\":\"\xff\",\"token_type\":\"bearer\"}".to_vec()).is_err());
    assert!(read("[".repeat(20_000)).is_err());
}

#[test]
fn a_rotated_refresh_token_outlives_whatever_else_is_wrong() {
    let bad = ["scope\":\"a\\tb", "expires_in\":\"-1", "token_type\":\"mac"];
    for bad in bad.map(|bad| format!("\"{bad}\"")) {
        let body = format!(r#"{{"access_token":"a","refresh_token":"rotated",{bad}}}"#);
        let error = read(body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{bad}");
        let kept = error.refresh_token().map(RefreshToken::expose_secret);
        assert_eq!(kept, Some("rotated"), "{bad}");
        assert!(!format!("{error} {error:?}").contains("rotated"), "{bad}");
    }
    let error = read(r#"{"refresh_token":"rotated","token_type":"bearer"}"#).unwrap_err();
    assert!(error.refresh_token().is_some());
}

#[test]
fn an_error_beside_a_token_wins() {
    let error =
        read(r#"{"access_token":"a","token_type":"bearer","error":"invalid_grant"}"#).unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
}

#[test]
fn a_silent_answer_means_what_was_asked_and_what_was_had() {
    let mut context = TokenContext::new(NOW);
    context.requested_scopes = Some(Scopes::parse("a b").unwrap());
    context.refresh_token = Some(RefreshToken::new("old").unwrap());
    let token = TokenReader::new(&context)
        .read(&answer(
            r#"{"access_token":"x","token_type":"bearer","refresh_token":""}"#,
        ))
        .unwrap();
    assert_eq!(token.scopes(), &Scopes::parse("a b").unwrap());
    assert_eq!(token.refresh_token().unwrap().expose_secret(), "old");
}

#[test]
fn retry_after_in_all_its_forms() {
    let of = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        retry_after(
            &headers,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767),
        )
        .map(|wait| wait.as_secs())
    };
    for date in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(of(date), Some(10), "{date}");
    }
    assert_eq!(of("Sat, 06 Nov 1993 08:49:37 GMT"), Some(0));
    assert_eq!(of("7"), Some(7));
    assert_eq!(of("99999999999999999999"), Some(86_400));
    for nonsense in ["-1", "soon", "", "1.5"] {
        assert_eq!(of(nonsense), None, "{nonsense}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer_or_an_error_that_repeats_nothing(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(body);
    }

    #[test]
    fn any_member_gives_an_answer_or_an_error(name in "access_token|token_type|expires_in|scope|refresh_token|error", value in "[^\\\\\"\\x00-\\x1f]{5,40}") {
        let mut members = json!({"access_token": "a", "token_type": "bearer"});
        members[&name] = json!({ &value: [&value] });
        if let Err(error) = read(members.to_string()) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&value));
        }
    }
}
