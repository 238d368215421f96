//! What each answer becomes.

use std::time::Duration;

use moov::{
    Error, ErrorKind, RevokeAccessToken, Scope, Token,
    oauth_core::{ErrorCode, Recovery, Scopes},
};

use crate::support::{NOW, Reply, Server, TOKEN, at, fixture, refresh_token, reply, stored_token};

async fn token(body: impl Into<String>) -> Result<moov::TokenSet, Error> {
    let server = Server::start([reply(200, body)]).await;
    let (builder, _clock) = server.timed();
    builder
        .build()
        .unwrap()
        .client_credentials(Scope::accounts_write())
        .await
}

async fn refused(answer: Reply) -> Error {
    let server = Server::start([answer]).await;
    let error = server
        .client()
        .client_credentials(Scope::accounts_write())
        .await
        .unwrap_err();
    assert_eq!(
        server.seen().len(),
        1,
        "nothing is tried again unless it is asked for"
    );
    error
}

async fn not_revoked(answer: Reply) -> Error {
    let server = Server::start([answer]).await;
    server
        .client()
        .revoke_access_token(RevokeAccessToken::new("token"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn documented_tokens() {
    let current = token(fixture("token.200")).await.unwrap();
    assert_eq!(current.expires_at(), Some(at(1_736_964_352)));
    assert_eq!(
        current.scopes(),
        &Scopes::parse("/accounts.read /accounts.write").unwrap()
    );
    assert!(
        current
            .access_token()
            .expose_secret()
            .starts_with("eyJhbGciOiJFZERTQSIs")
    );
    assert!(
        current.refresh_token().is_some(),
        "client credentials bring one"
    );
    assert!(!current.is_expired(at(NOW)) && current.is_expired(at(NOW + 1)));

    let seconds = token(fixture("token.legacy900.200")).await.unwrap();
    assert_eq!(seconds.expires_at(), Some(at(NOW + 900)));
    assert_eq!(
        seconds.access_token().authorization("Bearer").unwrap(),
        "Bearer i1qxz68gu50zp4i8ceyxqogmq7y0yienm52351c6..."
    );

    let opaque = token(fixture("token.legacy_timestamp_opaque.200"))
        .await
        .unwrap();
    assert_eq!(opaque.expires_at(), Some(at(1_736_966_581)));
}

#[tokio::test]
async fn expires_in_is_a_time_or_a_lifetime() {
    let read = |expires_in: &'static str| async move {
        token(format!(
            r#"{{"access_token":"a","token_type":"Bearer","expires_in":{expires_in}}}"#
        ))
        .await
    };
    let ends = |expires_in| async move { read(expires_in).await.unwrap().expires_at().unwrap() };
    assert_eq!(ends("0").await, at(NOW));
    assert_eq!(ends("\"900\"").await, at(NOW + 900));
    assert_eq!(ends("315360000").await, at(NOW + 315_360_000));
    assert_eq!(ends("315360001").await, at(315_360_001), "past, so expired");
    assert_eq!(ends("1736964352").await, at(1_736_964_352));
    assert_eq!(ends("\"1736964352\"").await, at(1_736_964_352));
    for time in [
        "1736964352.0",
        "1736964352.9",
        "1.736964352e9",
        "\"1736964352 \"",
        "\" 1736964352.0\"",
    ] {
        assert_eq!(ends(time).await, at(1_736_964_352), "{time}");
    }
    assert_eq!(ends("315360000.9").await, at(NOW + 315_360_000));
    assert_eq!(
        ends("2147483648").await,
        at(NOW + 315_360_000),
        "no token lives longer than ten years"
    );
    assert_eq!(ends("1736964352000").await, at(NOW + 315_360_000));
    assert_eq!(ends("18446744073709551615").await, at(NOW + 315_360_000));
    assert!(read("315360001").await.unwrap().is_expired(at(NOW)));
    for bad in ["-1", "true", "\"soon\""] {
        assert_eq!(
            read(bad).await.unwrap_err().kind(),
            ErrorKind::Protocol,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_time_beyond_32_bits_is_a_time() {
    let server = Server::start([reply(
        200,
        r#"{"access_token":"a","token_type":"Bearer","expires_in":2147484648}"#,
    )])
    .await;
    let (builder, clock) = server.timed();
    clock.set(at(2_147_483_700));
    let token = builder
        .build()
        .unwrap()
        .client_credentials(Scope::ping_read())
        .await
        .unwrap();
    assert_eq!(token.expires_at(), Some(at(2_147_484_648)));
}

#[tokio::test]
async fn three_names_of_bearer_and_no_other() {
    for name in ["Bearer", "bearer", "opaque", "Opaque", "JWT"] {
        let token = token(format!(r#"{{"access_token":"a","token_type":"{name}"}}"#))
            .await
            .unwrap();
        assert_eq!(token.token_type().scheme(), "Bearer", "{name}");
    }
    for name in ["DPoP", "mac"] {
        let error = token(format!(r#"{{"access_token":"a","token_type":"{name}"}}"#))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{name}");
    }
}

#[tokio::test]
async fn a_generic_error_is_a_text() {
    let error = refused(reply(400, fixture("token.400")).header("x-request-id", "3f2504e0")).await;
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::GenericError, Some("invalid_request"))
    );
    assert_eq!(error.core().code(), Some(&ErrorCode::InvalidRequest));
    assert_eq!(
        (error.status().unwrap().as_u16(), error.request_id()),
        (400, Some("3f2504e0"))
    );
    assert_eq!(error.recovery(), Recovery::FixConfiguration);

    let error = refused(reply(400, fixture("api.idempotency.400"))).await;
    assert_eq!(
        error.message(),
        Some("X-Idempotency-Key HTTP header must be a valid UUID")
    );
    assert_eq!(error.kind(), ErrorKind::GenericError);
    assert!(
        !error.core().code().unwrap().is_registered(),
        "prose is no OAuth code"
    );

    let error = refused(reply(400, r#"{"error":"two\r\nlines"}"#)).await;
    assert_eq!(error.message(), Some("two  lines"));
    let error = not_revoked(reply(400, r#"{"error":"unsupported_token_type"}"#)).await;
    assert_eq!(error.kind(), ErrorKind::GenericError);
}

#[tokio::test]
async fn a_422_speaks_of_fields() {
    let error = refused(reply(422, fixture("token.422")).header("x-request-id", "id-422")).await;
    assert_eq!(error.kind(), ErrorKind::AuthTokenRequestError);
    assert_eq!(
        error.fields().collect::<Vec<_>>(),
        [("refresh_token", "string"), ("scope", "string")]
    );
    assert_eq!(
        (error.field("scope"), error.field("token"), error.message()),
        (Some("string"), None, None)
    );
    assert_eq!(error.request_id(), Some("id-422"));
    assert_eq!(
        error.to_string(),
        "token endpoint: invalid_grant: refused fields: refresh_token, scope (status 422)"
    );

    let error = not_revoked(reply(422, fixture("revoke.422"))).await;
    assert_eq!(error.kind(), ErrorKind::RevokeTokenRequestError);
    assert_eq!(
        error.fields().map(|(name, _)| name).collect::<Vec<_>>(),
        ["token", "token_type_hint"]
    );
    assert_eq!(error.core().code(), Some(&ErrorCode::InvalidRequest));

    let error = refused(reply(422, fixture("api.validation.422"))).await;
    assert_eq!(
        error.fields().collect::<Vec<_>>(),
        [(
            "profile.business.taxID.ein.number",
            "must be a valid employer identification number"
        )]
    );
}

#[tokio::test]
async fn a_422_has_an_oauth_code() {
    for (body, code, recovery) in [
        (
            r#"{"refresh_token":"expired"}"#,
            ErrorCode::InvalidGrant,
            Recovery::Reauthorize,
        ),
        (
            r#"{"scope":"unknown"}"#,
            ErrorCode::InvalidScope,
            Recovery::FixConfiguration,
        ),
        (
            r#"{"grant_type":{"0":["bad"]}}"#,
            ErrorCode::InvalidRequest,
            Recovery::FixConfiguration,
        ),
    ] {
        let error = refused(reply(422, body)).await;
        assert_eq!(
            (error.core().code(), error.recovery()),
            (Some(&code), recovery),
            "{body}"
        );
        assert_eq!(error.kind(), ErrorKind::AuthTokenRequestError);
    }
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        r#"{"error":null}"#,
        r#"{"error":{"scope":"x"}}"#,
        r#"{"error":"invalid_scope"}"#,
    ] {
        let error = refused(reply(422, body)).await;
        assert_eq!(
            (error.kind(), error.fields().count()),
            (ErrorKind::ApiError, 0),
            "{body}"
        );
    }
}

#[tokio::test]
async fn other_statuses_have_no_words() {
    for status in [401, 403] {
        let error = refused(reply(status, "").header("x-request-id", "id-4")).await;
        assert_eq!(
            (error.kind(), error.request_id()),
            (ErrorKind::ApiError, Some("id-4"))
        );
        assert_eq!(
            error.recovery(),
            Recovery::FixConfiguration,
            "the key pair, or its domains"
        );
    }
    for status in [429, 500, 502, 503, 504] {
        let error = refused(
            reply(status, "")
                .header("x-request-id", "id-5")
                .header("retry-after", "7"),
        )
        .await;
        assert_eq!(
            (error.kind(), error.request_id()),
            (ErrorKind::ApiError, Some("id-5"))
        );
        assert_eq!(
            error.recovery(),
            Recovery::Retry {
                after: Some(Duration::from_secs(7))
            },
            "{status}"
        );
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
    let error = refused(reply(404, "<html>")).await;
    assert_eq!(
        (error.kind(), error.recovery()),
        (ErrorKind::ApiError, Recovery::GiveUp)
    );
    assert_eq!(
        not_revoked(reply(503, "")).await.kind(),
        ErrorKind::ApiError
    );
    assert_eq!(
        refused(reply(302, "").header("location", "https://example.com/"))
            .await
            .kind(),
        ErrorKind::Protocol
    );
    assert_eq!(
        refused(reply(200, "<html>")).await.kind(),
        ErrorKind::Protocol
    );
}

#[tokio::test]
async fn no_server_is_a_transport_error() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = moov::Client::builder("PUB", "SECRET-KEY")
        .origin("https://example.com")
        .base_url(format!("http://{free}"));
    let error = client
        .build()
        .unwrap()
        .client_credentials(Scope::ping_read())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_refresh_keeps_its_token_and_a_refused_one_falls_back_once() {
    let server = Server::start([reply(
        200,
        r#"{"access_token":"a","token_type":"Bearer","expires_in":900}"#,
    )])
    .await;
    let token = server.client().refresh(&refresh_token()).await.unwrap();
    assert_eq!(token.refresh_token(), Some(&refresh_token()));

    for (status, body) in [
        (422, r#"{"refresh_token":"expired"}"#),
        (400, r#"{"error":"invalid_grant"}"#),
        (400, ""),
    ] {
        let server = Server::start([reply(status, body), reply(200, TOKEN)]).await;
        let token = server
            .client()
            .renew(&stored_token(), Scope::ping_read())
            .await
            .unwrap();
        assert_eq!(token.access_token().expose_secret(), "access-1");
        let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
        assert_eq!(
            bodies,
            [
                r#"{"grant_type":"refresh_token","refresh_token":"refresh-0"}"#,
                r#"{"grant_type":"client_credentials","scope":"/ping.read"}"#,
            ]
        );
    }
}

#[tokio::test]
async fn renewing_goes_no_further_than_it_should() {
    let server = Server::start([reply(
        422,
        r#"{"refresh_token":"expired","scope":"unknown"}"#,
    )])
    .await;
    let error = server
        .client()
        .renew(&stored_token(), Scope::ping_read())
        .await
        .unwrap_err();
    assert_eq!(
        (server.seen().len(), error.kind()),
        (2, ErrorKind::AuthTokenRequestError)
    );

    for status in [401, 403, 429, 500, 503, 504] {
        let server = Server::start([reply(status, ""), reply(200, TOKEN)]).await;
        let error = server
            .client()
            .renew(&stored_token(), Scope::ping_read())
            .await
            .unwrap_err();
        assert_eq!(
            (server.seen().len(), error.status().unwrap().as_u16()),
            (1, status)
        );
    }

    let server = Server::start([reply(200, TOKEN)]).await;
    server
        .client()
        .renew(&stored_token().with_refresh_token(None), Scope::ping_read())
        .await
        .unwrap();
    assert_eq!(
        server.seen()[0].body,
        r#"{"grant_type":"client_credentials","scope":"/ping.read"}"#
    );
}
