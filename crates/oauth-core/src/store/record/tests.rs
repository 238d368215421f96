use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{AccessToken, RefreshToken};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn token(access: &str, ends: Option<u64>, refresh: Option<&str>) -> TokenSet {
    TokenSet::new(AccessToken::new(access).unwrap(), at(0))
        .with_expires_at(ends.map(at))
        .with_refresh_token(refresh.map(|text| RefreshToken::new(text).unwrap()))
}

#[test]
fn a_record_comes_back_as_it_was() {
    let narrow = TokenRequest::scopes("read".parse().unwrap())
        .resource("https://api.example.com")
        .param("audience", "\u{0}ä")
        .unwrap();
    let record = Record::new()
        .with(TokenRequest::any(), token("a", Some(60), Some("r")))
        .with(narrow, token("b", None, None))
        .with_claims(json!({"sub": "42"}).as_object().unwrap().clone());
    assert_eq!(Record::from_json(&record.to_json()).unwrap(), record);
}

#[test]
fn members_of_a_later_writer_survive() {
    let text = r#"{"version":1,"tokens":[{"later":"s3cret","token":{"access_token":"a",
        "token_type":"DPoP","issued_at":0,"scopes":["read"],"later":"s3cret","extra":{"x":[1]}}}],
        "later":{"x":1}}"#;
    let record = Record::from_json(&SecretString::from(text)).unwrap();
    let written = record.to_json();
    let [before, after]: [Value; 2] =
        [text, written.expose_secret()].map(|text| serde_json::from_str(text).unwrap());
    assert_eq!(after["later"], before["later"]);
    for (name, value) in before["tokens"][0].as_object().unwrap() {
        if name != "token" {
            assert_eq!(after["tokens"][0][name], *value, "{name}");
        }
    }
    for (name, value) in before["tokens"][0]["token"].as_object().unwrap() {
        assert_eq!(after["tokens"][0]["token"][name], *value, "{name}");
    }
    assert_eq!(Record::from_json(&written).unwrap(), record);
    assert!(!format!("{record:?}").contains("s3cret"));

    // A renewal replaces the token with what belongs to it, and leaves the rest.
    let renewed = record.with(TokenRequest::any(), token("b", None, None));
    let renewed = renewed.to_json();
    let renewed: Value = serde_json::from_str(renewed.expose_secret()).unwrap();
    assert_eq!(renewed["tokens"][0]["later"], "s3cret");
    assert_eq!(renewed["tokens"][0]["token"].get("later"), None);
}

#[test]
fn what_most_tokens_have_in_common_is_left_out_and_understood_when_it_is_there() {
    let record = Record::new().with(TokenRequest::any(), token("a", None, None));
    let short = r#"{"version":1,"tokens":[{"token":{"access_token":"a","issued_at":0}}]}"#;
    assert_eq!(record.to_json().expose_secret(), short);
    let long = r#"{"version":1,"tokens":[{"token":{"version":1,"access_token":"a","issued_at":0,
        "token_type":"Bearer","expires_at":null,"scopes":[],"refresh_token":null}}]}"#;
    assert_eq!(
        Record::from_json(&SecretString::from(long)).unwrap(),
        record
    );
}

#[test]
fn a_damaged_or_later_record_is_told_and_not_repeated() {
    for text in ["", "[]", "{}", r#"{"version":1,"tokens":["s3cret"]}"#] {
        assert!(unreadable(text).contains("damaged"), "{text}");
    }
    for text in [
        r#"{"version":9,"tokens":[]}"#,
        r#"{"version":1,"tokens":[{"token":{"version":9,"access_token":"s3cret","issued_at":0}}]}"#,
        r#"{"version":1,"tokens":[{"token":{"token_type":"s3cret","access_token":"a","issued_at":0}}]}"#,
    ] {
        assert!(unreadable(text).contains("later version"), "{text}");
    }
}

/// What is said of a record that is not one.
fn unreadable(text: &str) -> String {
    let error = Record::from_json(&text.to_owned().into()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{text}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    error.to_string()
}

#[test]
fn a_token_that_no_request_could_carry_is_told_wherever_it_is() {
    let record = Record::new()
        .with(TokenRequest::any(), token("first", None, None))
        .with(
            TokenRequest::scopes(Scopes::empty()),
            token("second", None, None),
        );
    let written = record.to_json().expose_secret().to_owned();
    assert_eq!(
        Record::from_json(&written.clone().into()).unwrap(),
        record,
        "a record of two"
    );
    for name in ["first", "second"] {
        let text = written.replace(name, &format!("{name}\\n"));
        let error = Record::from_json(&text.into()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{name}");
        assert!(error.to_string().contains("no request could carry"));
    }
}

#[test]
fn what_can_be_refreshed_is_due_and_what_cannot_is_dead() {
    let record = Record::new()
        .with(TokenRequest::any(), token("a", Some(60), Some("r")))
        .with(
            TokenRequest::scopes(Scopes::empty()),
            token("b", Some(30), None),
        );
    assert_eq!(record.refresh_at(), Some(at(60)));
    assert_eq!(record.dead_at(), None);
    let access = record.retain(|issued| issued.token.refresh_token().is_none());
    assert_eq!(
        (access.refresh_at(), access.dead_at()),
        (None, Some(at(30)))
    );
}
