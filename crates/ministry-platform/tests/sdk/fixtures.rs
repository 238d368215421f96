//! Every known answer of Ministry Platform, read as what it is. Sources: `tests/fixtures/README.md`.

use std::{sync::Arc, time::Duration};

use ministry_platform::{
    ErrorKind, TableName,
    oauth_core::{ReqwestTransport, Scopes, ServerMetadata, Token},
    tables::Query,
};

use crate::support::{Church, json, text, token};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/", $name))
    };
}

/// A church whose tables and userinfo answer with `body`.
async fn church(status: u16, body: &'static str) -> Church {
    Church::new(move |request, _| {
        if request.is_token() {
            token("t")
        } else {
            json(status, body)
        }
    })
    .await
}

#[tokio::test]
async fn token_answers() {
    for (body, lifetime) in [
        (fixture!("token.client_credentials.200.json"), 3600),
        (fixture!("token.no_expires_in.200.json"), 3600),
    ] {
        let church = Church::new(move |_, _| json(200, body)).await;
        let granted = church.authentication().authenticate().await.unwrap();
        assert_eq!(text(&granted), "test-token");
        assert_eq!(
            granted.expires_in(granted.issued_at()),
            Some(Duration::from_secs(lifetime))
        );
        assert!(granted.refresh_token().is_none());
    }
}

#[tokio::test]
async fn the_claims_of_a_token_are_the_servers_business() {
    // The scope array of the claims is read as any server's would be, were it in the answer.
    let claims: serde_json::Value =
        serde_json::from_str(fixture!("access_token.claims.json")).unwrap();
    let answer = serde_json::json!({"access_token": "header.claims.signature", "expires_in": claims["exp"], "scope": claims["scope"]});
    let church = Church::new(move |_, _| json(200, &answer)).await;
    let granted = church.authentication().authenticate().await.unwrap();
    assert_eq!(text(&granted), "header.claims.signature");
    assert_eq!(
        granted.expires_in(granted.issued_at()),
        Some(Duration::from_secs(1800))
    );
    let all =
        Scopes::parse("http://www.thinkministry.com/dataplatform/scopes/all offline_access openid")
            .unwrap();
    assert_eq!(granted.scopes(), &all);
}

#[tokio::test]
async fn userinfo() {
    let church = church(200, fixture!("userinfo.200.json")).await;
    let authentication = church.authentication();
    let granted = authentication.authenticate().await.unwrap();
    let user = authentication
        .userinfo(granted.access_token())
        .await
        .unwrap();
    assert_eq!(user.subject(), "ab12cd34-ef56-7890-abcd-ef1234567890");
    assert_eq!(user.claims()["email"], "john@example.com");
    assert!(
        authentication
            .valid_token(granted.access_token())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_row_of_a_client() {
    let church = church(200, fixture!("tables.api_clients.200.json")).await;
    church
        .authentication()
        .authenticate_client("<client id>")
        .await
        .unwrap();
    assert!(
        church.seen()[2].has("client_id=%3Cclient+id%3E")
            && church.seen()[2].has("client_secret=%3Csecret%3E")
    );
}

#[tokio::test]
async fn tables() {
    let contacts = TableName::new("Contacts").unwrap();
    let empty = church(200, fixture!("tables.empty.200.json")).await;
    assert!(
        empty
            .authentication()
            .api()
            .get_records(&contacts, &Query::new())
            .await
            .unwrap()
            .is_empty()
    );
    let count = church(200, fixture!("tables.count.200.json")).await;
    assert_eq!(
        count
            .authentication()
            .api()
            .get_records(&contacts, &Query::new())
            .await
            .unwrap()[0]["Count"],
        5432
    );
    for body in [
        fixture!("tables.ambiguous_column.500.json"),
        fixture!("tables.invalid_column.500.json"),
    ] {
        let wrong = church(500, body).await;
        let error = wrong
            .authentication()
            .api()
            .get_records(&contacts, &Query::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Query);
        assert_eq!(wrong.seen().len(), 2);
    }
}

#[tokio::test]
async fn discovery_is_believed_only_for_the_issuer_that_is_expected() {
    let church = Church::new(|request, _| {
        match request
            .target
            .ends_with("/oauth/.well-known/openid-configuration")
        {
            true => json(200, fixture!("discovery.200.json")),
            false => json(404, ""),
        }
    })
    .await;
    let authentication = church.authentication();
    let at = format!("{}/oauth", authentication.platform().base_url());
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    assert!(
        ServerMetadata::discover(&at, transport.clone())
            .await
            .is_err(),
        "Forms is no URL"
    );
    let metadata = ServerMetadata::discover_as(&at, "Forms", transport)
        .await
        .unwrap();
    let (found, ours) = (
        metadata.endpoints().unwrap(),
        ministry_platform::MinistryPlatform::new("adminint.crossroads.net").unwrap(),
    );
    let ours = ministry_platform::oauth_core::Provider::endpoints(&ours);
    assert_eq!(found.token(), ours.token());
    assert_eq!(found.authorization(), ours.authorization());
    assert_eq!(found.userinfo(), ours.userinfo());
    assert_eq!(found.revocation(), ours.revocation());
    assert_eq!(found.introspection(), ours.introspection());
}
