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
    let text: SecretString = r#"{"version":1,"tokens":[],"later":{"x":1}}"#.to_owned().into();
    let record = Record::from_json(&text).unwrap();
    assert!(
        record
            .to_json()
            .expose_secret()
            .contains(r#""later":{"x":1}"#)
    );
}

#[test]
fn a_damaged_or_later_record_is_told_and_not_repeated() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"version":9,"tokens":[]}"#,
        r#"{"version":1,"tokens":["s3cret"]}"#,
    ] {
        let error = Record::from_json(&text.to_owned().into()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{text}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
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
