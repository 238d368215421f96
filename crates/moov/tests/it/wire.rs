//! The bytes that go out.

use moov::{
    BodyFormat, Client, CreateAccessToken, Credentials, GrantType, RevokeAccessToken, Scope, Token,
    TokenTypeHint,
    oauth_core::{AccessToken, Scopes},
};

use crate::support::{Seen, Server, TOKEN, refresh_token, reply};

/// `PUB:SECRET-KEY`.
const BASIC: &str = "Basic UFVCOlNFQ1JFVC1LRVk=";

async fn token_request(
    body: BodyFormat,
    credentials: Credentials,
    request: CreateAccessToken,
) -> Seen {
    let server = Server::start([reply(200, TOKEN)]).await;
    let client = server
        .builder()
        .body(body)
        .credentials(credentials)
        .build()
        .unwrap();
    client.create_access_token(request).await.unwrap();
    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(seen.line, "POST /oauth2/token");
    seen
}

fn both_scopes() -> Scopes {
    [Scope::accounts_write(), Scope::accounts_read()]
        .into_iter()
        .collect()
}

#[tokio::test]
async fn client_credentials_as_json() {
    let request = || CreateAccessToken::client_credentials(both_scopes());
    let seen = token_request(BodyFormat::Json, Credentials::Basic, request()).await;
    assert_eq!(
        seen.body,
        r#"{"grant_type":"client_credentials","scope":"/accounts.read /accounts.write"}"#
    );
    assert_eq!(seen.header("authorization"), Some(BASIC));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("origin"), Some("https://example.com"));
    assert_eq!(
        seen.header("content-length"),
        Some(seen.body.len().to_string().as_str())
    );
    assert_eq!(
        (seen.header("referer"), seen.header("x-moov-version")),
        (None, None)
    );

    let in_body = r#"{"grant_type":"client_credentials","client_id":"PUB","client_secret":"SECRET-KEY","scope":"/accounts.read /accounts.write"}"#;
    let seen = token_request(BodyFormat::Json, Credentials::Body, request()).await;
    assert_eq!(
        (seen.body.as_str(), seen.header("authorization")),
        (in_body, None)
    );
    let seen = token_request(BodyFormat::Json, Credentials::Both, request()).await;
    assert_eq!(
        (seen.body.as_str(), seen.header("authorization")),
        (in_body, Some(BASIC))
    );
}

#[tokio::test]
async fn client_credentials_as_form() {
    let request = || CreateAccessToken::client_credentials(both_scopes());
    let seen = token_request(BodyFormat::Form, Credentials::Basic, request()).await;
    assert_eq!(
        seen.body,
        "grant_type=client_credentials&scope=%2Faccounts.read+%2Faccounts.write"
    );
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen.header("authorization"), Some(BASIC));

    let in_body = "grant_type=client_credentials&client_id=PUB&client_secret=SECRET-KEY&scope=%2Faccounts.read+%2Faccounts.write";
    let seen = token_request(BodyFormat::Form, Credentials::Body, request()).await;
    assert_eq!(
        (seen.body.as_str(), seen.header("authorization")),
        (in_body, None)
    );
    let seen = token_request(BodyFormat::Form, Credentials::Both, request()).await;
    assert_eq!(
        (seen.body.as_str(), seen.header("authorization")),
        (in_body, Some(BASIC))
    );
}

#[tokio::test]
async fn a_refresh_has_the_token_last() {
    let request = CreateAccessToken::refresh(&refresh_token());
    let seen = token_request(BodyFormat::Json, Credentials::Basic, request.clone()).await;
    assert_eq!(
        seen.body,
        r#"{"grant_type":"refresh_token","refresh_token":"refresh-0"}"#
    );
    let seen = token_request(
        BodyFormat::Json,
        Credentials::Body,
        request.with_scope(Scope::ping_read()),
    )
    .await;
    assert_eq!(
        seen.body,
        r#"{"grant_type":"refresh_token","client_id":"PUB","client_secret":"SECRET-KEY","scope":"/ping.read","refresh_token":"refresh-0"}"#
    );
}

#[tokio::test]
async fn revocation() {
    let server = Server::start([reply(204, ""), reply(200, "{}")]).await;
    let client = server.client();
    let access_token = AccessToken::new("access-0").unwrap();
    client
        .revoke_access_token(RevokeAccessToken::access_token(&access_token))
        .await
        .unwrap();
    client
        .revoke_access_token(RevokeAccessToken::refresh_token(&refresh_token()))
        .await
        .unwrap();
    client
        .revoke_access_token(RevokeAccessToken::new("either"))
        .await
        .unwrap();
    let in_body = server
        .builder()
        .credentials(Credentials::Body)
        .body(BodyFormat::Form)
        .build()
        .unwrap();
    let hinted = RevokeAccessToken::new("either").with_token_type_hint(TokenTypeHint::RefreshToken);
    in_body.revoke_access_token(hinted).await.unwrap();

    let seen = server.seen();
    let bodies: Vec<_> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(
        bodies,
        [
            r#"{"token":"access-0","token_type_hint":"access_token"}"#,
            r#"{"token":"refresh-0","token_type_hint":"refresh_token"}"#,
            r#"{"token":"either"}"#,
            "token=either&token_type_hint=refresh_token&client_id=PUB&client_secret=SECRET-KEY",
        ]
    );
    assert!(seen.iter().all(|seen| seen.line == "POST /oauth2/revoke"));
    assert!(
        seen.iter()
            .all(|seen| seen.header("origin") == Some("https://example.com"))
    );
    let authorization: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("authorization"))
        .collect();
    assert_eq!(authorization, [Some(BASIC), Some(BASIC), Some(BASIC), None]);
}

#[tokio::test]
async fn referer_and_version_go_with_every_call() {
    let server = Server::start([reply(200, TOKEN)]).await;
    let client = Client::builder("PUB", "SECRET-KEY")
        .referer("https://example.com/pay")
        .version("v2026.07.00".parse().unwrap())
        .base_url(server.base_url() + "/")
        .build()
        .unwrap();
    let token = client.client_credentials(Scope::ping_read()).await.unwrap();
    client
        .revoke_access_token(RevokeAccessToken::access_token(token.access_token()))
        .await
        .unwrap();
    for (seen, line) in server
        .seen()
        .iter()
        .zip(["POST /oauth2/token", "POST /oauth2/revoke"])
    {
        assert_eq!(seen.line, line);
        assert_eq!(seen.header("referer"), Some("https://example.com/pay"));
        assert_eq!(seen.header("origin"), None);
        assert_eq!(seen.header("x-moov-version"), Some("v2026.07.00"));
    }

    let mut headers = http::HeaderMap::new();
    headers.insert("origin", "https://other.example".parse().unwrap());
    client
        .authorize(token.access_token(), &mut headers)
        .unwrap();
    assert_eq!(headers["authorization"], "Bearer access-1");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["referer"], "https://example.com/pay");
    assert_eq!(headers["x-moov-version"], "v2026.07.00");
    assert!(!headers.contains_key("origin"), "one of the two only");
}

#[tokio::test]
async fn a_waived_origin_is_not_sent() {
    let server = Server::start([reply(200, TOKEN)]).await;
    let client = Client::builder("PUB", "SECRET-KEY")
        .without_origin()
        .base_url(server.base_url())
        .build()
        .unwrap();
    client.client_credentials(Scope::ping_read()).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.header("origin"), seen.header("referer")),
        (None, None)
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_not_sent() {
    let server = Server::start([reply(200, TOKEN)]).await;
    let client = server.client();
    let template = Scopes::parse("/accounts/{accountID}/cards.read").unwrap();
    for request in [
        CreateAccessToken::new(GrantType::ClientCredentials),
        CreateAccessToken::client_credentials(Scopes::empty()),
        CreateAccessToken::new(GrantType::RefreshToken),
        CreateAccessToken::client_credentials(template),
    ] {
        let error = client.create_access_token(request).await.unwrap_err();
        assert_eq!(error.kind(), moov::ErrorKind::Usage, "{error}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refresh_token_stays_out_of_client_credentials() {
    let server = Server::start([reply(200, TOKEN)]).await;
    let request = CreateAccessToken::client_credentials(Scope::ping_read())
        .with_refresh_token(refresh_token());
    server.client().create_access_token(request).await.unwrap();
    let body = &server.seen()[0].body;
    assert!(
        body.contains("client_credentials") && !body.contains("refresh_token"),
        "{body}"
    );
}

#[test]
fn a_client_says_where_it_calls_from() {
    let builder = || Client::builder("PUB", "SECRET-KEY");
    assert!(builder().build().is_err());
    assert!(
        builder()
            .origin("https://example.com")
            .referer("https://example.com/x")
            .build()
            .is_err()
    );
    assert!(
        builder()
            .origin("https://example.com")
            .without_origin()
            .build()
            .is_err()
    );
    assert!(builder().origin("https://example.com/").build().is_err());
    assert!(
        Client::builder("", "SECRET-KEY")
            .origin("https://example.com")
            .build()
            .is_err()
    );
    assert!(
        Client::builder("PUB", "")
            .origin("https://example.com")
            .build()
            .is_err()
    );
    for versioned in [
        "https://api.moov.io/v1",
        "https://api.moov.io/v2026.07.00/",
        "https://api.moov.io/?v=1",
        "http://api.moov.io",
    ] {
        assert!(
            builder()
                .origin("https://example.com")
                .base_url(versioned)
                .build()
                .is_err(),
            "{versioned}"
        );
    }
    assert!(builder().origin("https://example.com").build().is_ok());
}
