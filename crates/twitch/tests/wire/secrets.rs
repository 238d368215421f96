//! Planted secrets: nothing that can be printed shows one.

use std::{
    error::Error as _,
    fmt::{Debug, Write as _},
};

use oauth_core::{AccessToken, Error, RefreshToken, Scopes};
use twitch::{
    Claims, Client, ImplicitResponse, PendingImplicit, Scope, Twitch, UserToken, oauth_core,
};

use super::support::{Answer, SECRET, Server};

const PLANTED: &str = "planted";

#[derive(Default)]
struct Printed(String);

impl Printed {
    fn value(&mut self, value: &dyn Debug) {
        write!(self.0, "{value:?}\n{value:#?}\n").unwrap();
    }

    fn error(&mut self, error: &Error) {
        self.value(error);
        self.value(&error.oauth_error());
        writeln!(self.0, "{error}").unwrap();
        let mut source = error.source();
        while let Some(error) = source {
            writeln!(self.0, "{error} {error:?}").unwrap();
            source = error.source();
        }
    }
}

fn access() -> AccessToken {
    AccessToken::new("planted-access-token").unwrap()
}

fn refresh() -> RefreshToken {
    RefreshToken::new("planted-refresh-token").unwrap()
}

/// A server that says back every secret there is, as a message, as a body, as a reason.
fn echoes() -> Vec<Answer> {
    let all = format!(
        "{SECRET} planted-access-token planted-refresh-token planted-code planted-device-code"
    );
    let message = |status: u16| {
        Answer::new(
            status,
            serde_json::json!({"status": status, "message": all, "error": all}).to_string(),
        )
    };
    vec![
        message(400),
        message(401),
        message(403),
        message(500),
        Answer::new(200, all.clone()),
        Answer::new(400, all.clone()),
    ]
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let mut printed = Printed::default();
    for echo in echoes() {
        let device = r#"{"device_code":"planted-device-code","user_code":"planted-user-code","verification_uri":"https://t.example/?c=planted","expires_in":9,"interval":1}"#;
        let validation =
            r#"{"client_id":"cid","login":"l","user_id":"1","scopes":[],"expires_in":1}"#;
        let good = [Answer::new(200, device), Answer::new(200, validation)];
        let server = Server::of(good.into_iter().chain(std::iter::repeat_n(echo, 9))).await;
        let client = server.confidential();
        let device = client.device_code(&Scopes::empty()).await.unwrap();
        let user = UserToken::from_existing(&client, access(), Some(refresh()))
            .await
            .unwrap();
        printed.value(&(&device, &user));
        let request = http::Request::get(client.helix_url("users").unwrap().as_str())
            .body("".into())
            .unwrap();
        for error in [
            client
                .token_get_from_code("planted-code", "http://localhost")
                .await
                .unwrap_err(),
            client.token_refresh(&user).await.unwrap_err(),
            client.token_refresh_with(&refresh()).await.unwrap_err(),
            client.app_token().await.unwrap_err(),
            client.token_validate(&access()).await.unwrap_err(),
            client.userinfo(&access()).await.unwrap_err(),
            client.device_token(&device).await.unwrap_err(),
        ] {
            printed.error(&error);
        }
        if let Err(error) = client.helix(request, &user).await {
            printed.error(&error);
        }
        if let Err(error) = client.token_revoke(&access()).await {
            printed.error(&error);
        }
    }
    assert!(
        printed.0.contains("***"),
        "the server's words are shown, masked:\n{}",
        printed.0
    );
    // Each call masks what it sent; the client's secret it masks always.
    for line in printed.0.lines() {
        assert!(!line.contains(SECRET), "{line}");
        assert!(
            !line.contains("planted-user-code") && !line.contains("c=planted"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_call_masks_what_it_sent() {
    let said = |text: &str| {
        Answer::new(
            400,
            format!(r#"{{"status":400,"message":"you sent {text}"}}"#),
        )
    };
    let cases = [
        "planted-code",
        "planted-refresh-token",
        "planted-access-token",
        "planted-access-token",
    ];
    let server = Server::of(cases.map(said)).await;
    let client = server.public();
    let confidential = server.confidential();
    let errors = [
        confidential
            .token_get_from_code("planted-code", "http://localhost")
            .await
            .unwrap_err(),
        client.token_refresh_with(&refresh()).await.unwrap_err(),
        client.token_validate(&access()).await.unwrap_err(),
        client.token_revoke(&access()).await.unwrap_err(),
    ];
    for error in errors {
        let mut printed = Printed::default();
        printed.error(&error);
        assert!(!printed.0.contains(PLANTED), "{}", printed.0);
        assert!(printed.0.contains("you sent ***"), "{}", printed.0);
    }
}

#[test]
fn no_type_shows_a_secret() {
    let mut printed = Printed::default();
    let builder = Client::builder("cid").client_secret("planted-client-secret");
    printed.value(&builder);
    let client = builder.build().unwrap();
    printed.value(&client);
    printed.value(&Twitch::new());
    let (url, pending) = client
        .authorization_url("http://localhost")
        .build()
        .unwrap();
    printed.value(&pending);
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let (url, implicit) = client
        .implicit_url(ImplicitResponse::Token, "http://localhost")
        .build()
        .unwrap();
    printed.value(&implicit);
    let other_state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    printed.value(
        &client
            .authorization_url("http://localhost")
            .claims(Claims::new()),
    );
    printed.value(&client.implicit_url(ImplicitResponse::IdToken, "http://localhost"));
    let pending = PendingImplicit::from_state("planted-state").unwrap();
    let redirect = "http://localhost/#access_token=planted-access&id_token=planted-id&state=planted-state&token_type=bearer";
    printed.value(&pending);
    printed.value(&pending.accept(redirect).unwrap());
    for bad in [
        redirect.replace("bearer", "planted"),
        redirect.replace("planted-state", "planted-other"),
        redirect.replace("planted-access", "planted%0A"),
    ] {
        printed.error(&pending.accept(&bad).unwrap_err());
    }
    printed.value(&Scope::ChatRead);
    for secret in [PLANTED, &state, &other_state] {
        assert!(!printed.0.contains(secret), "{secret}:\n{}", printed.0);
    }
}
