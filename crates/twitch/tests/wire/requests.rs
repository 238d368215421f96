//! Golden: every byte of every call that matters.

use oauth_core::{AccessToken, RefreshToken, Scopes, TokenSet};
use twitch::{Client, Scope, UserToken, helix::HelixToken as _, oauth_core};

use super::support::{Answer, Server, fixture, now};

const FORM: &str = "accept: application/json\ncontent-type: application/x-www-form-urlencoded\n";

fn access(text: &str) -> AccessToken {
    AccessToken::new(text).unwrap()
}

fn refresh() -> RefreshToken {
    RefreshToken::new("a+b/c=%d").unwrap()
}

async fn user(client: &Client) -> UserToken {
    let tokens = TokenSet::new(access("at"), now()).with_refresh_token(Some(refresh()));
    UserToken::from_token_set(client, &tokens).await.unwrap()
}

fn validation() -> Answer {
    Answer::new(
        200,
        r#"{"client_id":"cid","login":"twitchdev","scopes":["chat:read"],"user_id":"1","expires_in":60}"#,
    )
}

#[tokio::test]
async fn code() {
    let server = Server::of([fixture("token.code.200")]).await;
    server
        .confidential()
        .token_get_from_code("the/code", "http://localhost:3000")
        .await
        .unwrap();
    let body = "grant_type=authorization_code&code=the%2Fcode&redirect_uri=http%3A%2F%2Flocalhost%3A3000\
                &client_id=cid&client_secret=planted-client-secret%26%3D";
    assert_eq!(
        server.asked(),
        [format!("POST /oauth2/token\n{FORM}\n{body}")]
    );
}

#[tokio::test]
async fn refresh_of_a_confidential_client_encodes_once_and_sends_the_secret() {
    let server = Server::of([validation(), fixture("token.refresh.200")]).await;
    let client = server.confidential();
    client.token_refresh(&user(&client).await).await.unwrap();
    let body = "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%25d&client_id=cid&client_secret=planted-client-secret%26%3D";
    assert_eq!(
        server.asked()[1],
        format!("POST /oauth2/token\n{FORM}\n{body}")
    );
}

#[tokio::test]
async fn refresh_of_a_public_client_sends_no_secret() {
    let server = Server::of([fixture("token.refresh.200")]).await;
    server
        .public()
        .token_refresh_with(&refresh())
        .await
        .unwrap();
    let body = "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%25d&client_id=cid";
    assert_eq!(
        server.asked(),
        [format!("POST /oauth2/token\n{FORM}\n{body}")]
    );
}

#[tokio::test]
async fn a_narrower_scope_is_not_sent_at_a_refresh() {
    let server = Server::of([fixture("token.refresh.200")]).await;
    let grant =
        oauth_core::grant::RefreshToken::new(refresh()).with_scopes("chat:read".parse().unwrap());
    server.public().core().exchange(&grant).await.unwrap();
    let body = "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%25d&client_id=cid";
    assert_eq!(
        server.asked(),
        [format!("POST /oauth2/token\n{FORM}\n{body}")]
    );
}

#[tokio::test]
async fn app_token() {
    let server = Server::of([fixture("token.app.200")]).await;
    server.confidential().app_token().await.unwrap();
    let body =
        "grant_type=client_credentials&client_id=cid&client_secret=planted-client-secret%26%3D";
    assert_eq!(
        server.asked(),
        [format!("POST /oauth2/token\n{FORM}\n{body}")]
    );
}

#[tokio::test]
async fn device_says_scopes_and_sends_the_client_id_alone() {
    let scopes = Scopes::new([Scope::ChatRead, Scope::ChannelManageBroadcast]).unwrap();
    for public in [true, false] {
        let server = Server::of([fixture("device.200"), fixture("token.device.200")]).await;
        let client = if public {
            server.public()
        } else {
            server.confidential()
        };
        let device = client.device_code(&scopes).await.unwrap();
        client.device_token(&device).await.unwrap();
        let asked = "scopes=channel%3Amanage%3Abroadcast+chat%3Aread";
        let start = format!("{asked}&client_id=cid");
        let secret = if public {
            ""
        } else {
            "&client_secret=planted-client-secret%26%3D"
        };
        let poll = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
             &device_code=ike3GM8QIdYZs43KdrWPIO36LofILoCyFEzjlQ91&{asked}&client_id=cid{secret}"
        );
        assert_eq!(
            server.asked(),
            [
                format!("POST /oauth2/device\n{FORM}\n{start}"),
                format!("POST /oauth2/token\n{FORM}\n{poll}")
            ]
        );
    }
}

#[tokio::test]
async fn device_without_scopes() {
    let server = Server::of([fixture("device.200"), fixture("token.device.noscope.200")]).await;
    let client = server.public();
    let device = client.device_code(&Scopes::empty()).await.unwrap();
    client.device_token(&device).await.unwrap();
    assert_eq!(
        server.asked()[0],
        format!("POST /oauth2/device\n{FORM}\nclient_id=cid")
    );
    assert!(
        !server.asked()[1].contains("scope"),
        "{}",
        server.asked()[1]
    );
}

#[tokio::test]
async fn validate_says_oauth() {
    let server = Server::of([fixture("validate.user.200")]).await;
    server.public().token_validate(&access("at")).await.unwrap();
    assert_eq!(
        server.asked(),
        ["GET /oauth2/validate\naccept: application/json\nauthorization: OAuth at\n\n"]
    );
}

#[tokio::test]
async fn revoke_sends_no_secret_and_no_hint() {
    let server = Server::of([Answer::new(200, "")]).await;
    server
        .confidential()
        .token_revoke(&access("a/t"))
        .await
        .unwrap();
    assert_eq!(
        server.asked(),
        [format!(
            "POST /oauth2/revoke\n{FORM}\ntoken=a%2Ft&client_id=cid"
        )]
    );
}

#[tokio::test]
async fn userinfo_says_bearer() {
    let server = Server::of([Answer::new(
        200,
        r#"{"sub":"141981764","email":"a@example.com"}"#,
    )])
    .await;
    let user = server.public().userinfo(&access("at")).await.unwrap();
    assert_eq!(user.subject(), "141981764");
    assert_eq!(
        server.asked(),
        [
            "GET /oauth2/userinfo\naccept: application/json\nauthorization: Bearer at\nclient-id: cid\n\n"
        ]
    );
}

#[tokio::test]
async fn helix_takes_both_headers_from_the_token() {
    let server = Server::of([validation(), Answer::new(200, "{}"), Answer::new(204, "")]).await;
    let client = server.confidential();
    let token = user(&client).await;
    let users = client.helix_url("/users?login=twitchdev").unwrap();
    let get = http::Request::get(users.as_str())
        .header("client-id", "of the caller")
        .body("".into())
        .unwrap();
    client.helix(get, &token).await.unwrap();
    let post = http::Request::post(client.helix_url("polls").unwrap().as_str())
        .header("content-type", "application/json")
        .body(r#"{"title":"?"}"#.into())
        .unwrap();
    client.helix(post, &token).await.unwrap();
    let headers = "authorization: Bearer at\nclient-id: cid\n";
    assert_eq!(
        server.asked()[1],
        format!("GET /helix/users?login=twitchdev\naccept: */*\n{headers}\n")
    );
    assert_eq!(
        server.asked()[2],
        format!(
            "POST /helix/polls\naccept: */*\n{headers}content-type: application/json\n\n{{\"title\":\"?\"}}"
        )
    );
    assert_eq!(token.client_id(), "cid");
    let mut headers = http::HeaderMap::new();
    token.authorize(&mut headers).unwrap();
    assert!(headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn a_token_is_sent_to_helix_only() {
    let server = Server::of([validation()]).await;
    let client = server.confidential();
    let token = user(&client).await;
    let base = server.base_url();
    for elsewhere in [
        "https://example.com/helix/users".to_owned(),
        "https://api.twitch.tv/helix/users".to_owned(),
        format!("{base}/oauth2/token"),
        format!("{base}/helix/../oauth2/token"),
        format!("{base}/helix"),
        base.replace("http://", "https://") + "/helix/users",
        "/helix/users".to_owned(),
    ] {
        let request = http::Request::get(&elsewhere).body("".into()).unwrap();
        let error = client.helix(request, &token).await.unwrap_err();
        assert_eq!(error.kind(), oauth_core::ErrorKind::Usage, "{elsewhere}");
    }
    assert!(client.helix_url("../oauth2/token").is_err());
    assert!(client.helix_url("https://example.com/").is_err());
    assert_eq!(server.asked().len(), 1, "only the validation was sent");
}

#[tokio::test]
async fn a_public_client_has_no_code_flow_and_no_app_token() {
    let server = Server::of([]).await;
    let client = server.public();
    let codes = client
        .token_get_from_code("code", "http://localhost")
        .await
        .unwrap_err();
    let app = client.app_token().await.unwrap_err();
    let url = client
        .authorization_url("http://localhost")
        .build()
        .unwrap_err();
    for error in [codes, app, url] {
        assert_eq!(error.kind(), oauth_core::ErrorKind::Usage, "{error}");
    }
    assert!(server.asked().is_empty());
}
