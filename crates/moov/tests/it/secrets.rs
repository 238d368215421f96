//! No secret is in anything that can be printed.

use std::{error::Error as _, fmt::Debug};

use moov::{
    Client, CreateAccessToken, Error, RevokeAccessToken, Scope, Token, oauth_core::RefreshToken,
};

use crate::support::{Reply, Server, reply};

const SECRETS: [&str; 4] = [
    "PLANTED-KEY-11",
    "PLANTED-ACCESS-22",
    "PLANTED-REFRESH-33",
    "PLANTED-FIELD-44",
];

fn assert_clean(what: &str, printed: &str) {
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{secret} in {what}: {printed}");
    }
}

fn check(what: &str, value: &dyn Debug) {
    assert_clean(what, &format!("{value:?} {value:#?}"));
}

fn check_error(error: &Error) {
    check("an error's Debug", error);
    assert_clean("an error's Display", &error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        assert_clean("a cause", &format!("{cause} {cause:?}"));
        source = cause.source();
    }
    assert_clean("the message", error.message().unwrap_or_default());
}

fn client(server: &Server) -> Client {
    let builder = Client::builder("PUB", SECRETS[0])
        .origin("https://example.com")
        .base_url(server.base_url());
    check("the builder", &builder);
    builder.build().unwrap()
}

#[tokio::test]
async fn nothing_that_succeeds_prints_one() {
    let body = format!(
        r#"{{"access_token":"{}","refresh_token":"{}","token_type":"JWT","note":"{}"}}"#,
        SECRETS[1], SECRETS[2], SECRETS[3]
    );
    let server = Server::start([reply(200, body)]).await;
    let client = client(&server);
    check("the client", &client);
    check("the provider", client.core().provider());
    let token = client.client_credentials(Scope::ping_read()).await.unwrap();
    check("the token", &token);
    check(
        "a refresh",
        &CreateAccessToken::refresh(token.refresh_token().unwrap()),
    );
    check(
        "a revocation",
        &RevokeAccessToken::access_token(token.access_token()),
    );
    let mut headers = http::HeaderMap::new();
    client
        .authorize(token.access_token(), &mut headers)
        .unwrap();
    check("the headers of a call", &headers);
}

#[tokio::test]
async fn nothing_that_fails_prints_one() {
    // Every secret, as a server might repeat it in each place that it has.
    let [key, access, refresh, field] = SECRETS;
    let text = format!("{key} {refresh}");
    let fields = format!(
        r#"{{"scope":"{field}","refresh_token":"{refresh}","client":{{"secret":"{key} {access}"}}}}"#
    );
    let answers: [Reply; 8] = [
        reply(
            400,
            format!(r#"{{"error":"{text}","error_description":"{text}","note":"{field}"}}"#),
        ),
        reply(422, fields.clone()),
        reply(422, format!(r#"{{"error":"{text}","scope":"{field}"}}"#)),
        reply(401, format!("<html>{key} {access} {refresh} {field}")),
        reply(500, fields),
        reply(
            200,
            format!(r#"{{"access_token":["{access}"],"token_type":"Bearer"}}"#),
        ),
        reply(
            200,
            format!(r#"{{"access_token":"{access}","token_type":"{field}"}}"#),
        ),
        reply(302, "").header(
            "location",
            &format!("https://example.com/{refresh}?{access}"),
        ),
    ];
    for answer in answers {
        let server = Server::start([answer]).await;
        let client = client(&server);
        check_error(
            &client
                .refresh(&RefreshToken::new(refresh).unwrap())
                .await
                .unwrap_err(),
        );
        if let Err(error) = client
            .revoke_access_token(RevokeAccessToken::new(refresh))
            .await
        {
            check_error(&error);
        }
    }
}

#[tokio::test]
async fn what_a_field_says_is_for_its_accessor_only() {
    let server = Server::start([reply(
        422,
        format!(r#"{{"scope":"{} is unknown"}}"#, SECRETS[3]),
    )])
    .await;
    let error = client(&server)
        .client_credentials(Scope::ping_read())
        .await
        .unwrap_err();
    check_error(&error);
    assert_eq!(error.field("scope"), Some("PLANTED-FIELD-44 is unknown"));

    // Of what was sent even the accessor shows nothing.
    let server = Server::start([reply(
        422,
        format!(r#"{{"refresh_token":"{} has expired"}}"#, SECRETS[2]),
    )])
    .await;
    let error = client(&server)
        .refresh(&RefreshToken::new(SECRETS[2]).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.field("refresh_token"), Some("*** has expired"));
}
