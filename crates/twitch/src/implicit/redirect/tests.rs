use serde_json::Value;

use super::*;

const STATE: &str = "c3ab8aa609ea11e793ae92361f002671";

fn pending() -> PendingImplicit {
    PendingImplicit::from_state(STATE).unwrap()
}

/// The fixture's members, as the redirect carries them.
fn encoded(fixture: &str) -> String {
    let members: Value = serde_json::from_str(fixture).unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "kind")
    {
        form.append_pair(name, value.as_str().unwrap());
    }
    form.finish()
}

#[test]
fn a_token_comes_in_the_fragment() {
    let fragment = encoded(include_str!(
        "../../../tests/fixtures/authorize.implicit.redirect.json"
    ));
    let grant = pending()
        .accept(&format!("http://localhost:3000/#{fragment}"))
        .unwrap();
    assert_eq!(
        grant.access_token().unwrap().expose_secret(),
        "73d0f8mkabpbmjp921asv2jaidwxn"
    );
    assert_eq!(
        grant.scopes().to_string(),
        "channel:manage:polls channel:read:polls"
    );
    assert!(grant.id_token().is_none());
}

#[test]
fn a_refusal_comes_in_the_query() {
    let query = encoded(include_str!(
        "../../../tests/fixtures/authorize.denied.redirect.json"
    ));
    let error = pending()
        .accept(&format!("http://localhost:3000/?{query}"))
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
    assert_eq!(
        error.oauth_error().unwrap().description(),
        Some("The user denied you access")
    );
    let error = pending()
        .accept(&format!(
            "http://localhost:3000/?{query}#access_token=a&state={STATE}"
        ))
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::AccessDenied),
        "an error is never outvoted by a token"
    );
}

#[test]
fn another_state_is_refused_whatever_comes_with_it() {
    for redirect in [
        "http://localhost:3000/#access_token=a&token_type=bearer",
        "http://localhost:3000/#access_token=a&token_type=bearer&state=other",
        "http://localhost:3000/#access_token=a&token_type=bearer&state=",
        "http://localhost:3000/?error=access_denied",
        "http://localhost:3000/?error=access_denied&state=other",
        "http://localhost:3000/",
        "",
    ] {
        let error = pending().accept(redirect).unwrap_err();
        assert_eq!(error.kind(), oauth_core::ErrorKind::Protocol, "{redirect}");
        assert_eq!(error.code(), None, "{redirect}");
    }
    assert!(PendingImplicit::from_state("").is_err());
}

#[test]
fn half_an_answer_is_none() {
    for fragment in [
        "",
        "scope=a",
        "access_token=",
        "access_token=a&token_type=mac",
        "access_token=%C3%A4",
        "access_token=a&access_token=b",
        "access_token=a&scope=%22",
    ] {
        let redirect = format!("http://localhost:3000/#state={STATE}&{fragment}");
        assert!(pending().accept(&redirect).is_err(), "{fragment}");
    }
}
