//! The authorization URL, byte for byte, and what comes back.

use oauth_core::{ErrorCode, ErrorKind, PendingAuthorization, Scopes};
use serde_json::Value;
use twitch::{Claim, Claims, Client, ImplicitResponse, Scope, oauth_core};
use url::Url;

use super::support::{Server, fixture, text_of};

fn client() -> Client {
    Client::builder("cid")
        .client_secret("secret")
        .build()
        .unwrap()
}

fn state(url: &Url) -> String {
    url.query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned()
}

/// A fixture's members as the query of a callback, with the state that was sent.
fn callback(file: &str, url: &Url) -> String {
    let members: Value = serde_json::from_str(&text_of(file)).unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "kind")
    {
        form.append_pair(
            name,
            &if name == "state" {
                state(url)
            } else {
                value.as_str().unwrap().to_owned()
            },
        );
    }
    format!("http://localhost:3000/?{}", form.finish())
}

fn begin(client: &Client) -> (Url, PendingAuthorization) {
    let scopes = Scopes::new([Scope::ChannelManagePolls, Scope::ChannelReadPolls]).unwrap();
    client
        .authorization_url("http://localhost:3000")
        .scopes(scopes)
        .build()
        .unwrap()
}

#[test]
fn the_url_of_a_code() {
    let (url, _) = begin(&client());
    let state = state(&url);
    assert_eq!(state.len(), 43);
    assert_eq!(
        url.as_str(),
        format!(
            "https://id.twitch.tv/oauth2/authorize?response_type=code&client_id=cid\
             &redirect_uri=http%3A%2F%2Flocalhost%3A3000&scope=channel%3Amanage%3Apolls+channel%3Aread%3Apolls&state={state}"
        ),
        "no challenge, and no slash added to the redirect URI"
    );
}

#[test]
fn the_url_of_openid_connect() {
    let claims = Claims::new()
        .id_token(Claim::Email)
        .id_token(Claim::EmailVerified)
        .userinfo(Claim::Picture);
    let (url, _) = client()
        .authorization_url("http://localhost")
        .scopes(Scopes::new([Scope::OpenId]).unwrap())
        .force_verify(true)
        .nonce("n-0S6")
        .claims(claims)
        .build()
        .unwrap();
    let state = state(&url);
    assert_eq!(
        url.as_str(),
        format!(
            "https://id.twitch.tv/oauth2/authorize?response_type=code&client_id=cid&redirect_uri=http%3A%2F%2Flocalhost\
             &scope=openid&state={state}&force_verify=true&nonce=n-0S6\
             &claims=%7B%22id_token%22%3A%7B%22email%22%3Anull%2C%22email_verified%22%3Anull%7D%2C%22userinfo%22%3A%7B%22picture%22%3Anull%7D%7D"
        )
    );
    let (last, _) = client()
        .authorization_url("http://localhost")
        .scopes(Scopes::new([Scope::OpenId]).unwrap())
        .force_verify(true)
        .force_verify(false)
        .nonce("first")
        .nonce("last")
        .claims(Claims::new().id_token(Claim::Email))
        .claims(Claims::new())
        .build()
        .unwrap();
    assert!(
        last.as_str().ends_with("&nonce=last&claims=%7B%7D")
            && !last.as_str().contains("force_verify"),
        "what was said last: {last}"
    );
    let without = client()
        .authorization_url("http://localhost")
        .nonce("n")
        .build()
        .unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Usage, "nonce without openid");
}

#[test]
fn the_url_of_the_implicit_flow_needs_no_secret() {
    let client = Client::builder("cid").build().unwrap();
    let scopes = Scopes::new([Scope::OpenId, Scope::ChatRead]).unwrap();
    let (url, pending) = client
        .implicit_url(ImplicitResponse::TokenAndIdToken, "http://localhost")
        .scopes(scopes)
        .nonce("n")
        .claims(Claims::new().id_token(Claim::Email))
        .force_verify(true)
        .build()
        .unwrap();
    let state = state(&url);
    assert_eq!(state.len(), 64);
    assert_eq!(
        url.as_str(),
        format!(
            "https://id.twitch.tv/oauth2/authorize?response_type=token+id_token&client_id=cid&redirect_uri=http%3A%2F%2Flocalhost\
             &scope=chat%3Aread+openid&state={state}&force_verify=true&nonce=n&claims=%7B%22id_token%22%3A%7B%22email%22%3Anull%7D%7D"
        )
    );
    let redirect = format!(
        "http://localhost/#access_token=at&id_token=jwt&scope=chat%3Aread&state={state}&token_type=bearer"
    );
    let grant = pending.accept(&redirect).unwrap();
    assert!(grant.access_token().is_some() && grant.id_token().is_some());

    let request = client.implicit_url(ImplicitResponse::IdToken, "http://localhost");
    assert!(request.build().is_err(), "an ID token needs openid");
    for bad in [
        "localhost",
        "http://localhost/#a",
        "http://localhost/\n",
        "http://local\thost/",
        "http://localhost/a b",
        " http://localhost",
    ] {
        let request = client.implicit_url(ImplicitResponse::Token, bad);
        assert!(request.build().is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_callback_with_a_code() {
    let server = Server::of([fixture("token.code.200")]).await;
    let client = server.confidential();
    let (url, mut pending) = begin(&client);
    let callback = callback("authorize.code.redirect.json", &url);
    client
        .token_get_from_callback(&mut pending, &callback)
        .await
        .unwrap();
    assert!(server.asked()[0].contains(
        "&code=gulfwdmys5lsm6qyz4xiz9q32l10&redirect_uri=http%3A%2F%2Flocalhost%3A3000&"
    ));
    let again = client
        .token_get_from_callback(&mut pending, &callback)
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Usage);
    assert_eq!(server.asked().len(), 1, "a code is sent once");
}

#[tokio::test]
async fn a_callback_with_a_refusal() {
    let client = client();
    let (url, mut pending) = begin(&client);
    let denied = callback("authorize.denied.redirect.json", &url);
    let error = client
        .token_get_from_callback(&mut pending, &denied)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
    assert!(error.needs_reauthorization());
}

/// It may belong to another instance of the application: without our state it changes nothing.
#[tokio::test]
async fn a_mismatch_that_is_not_ours() {
    let client = client();
    let (url, mut pending) = begin(&client);
    let mismatch = callback("authorize.redirect_mismatch.redirect.json", &url);
    let error = client
        .token_get_from_callback(&mut pending, &mismatch)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, None));
    let ours = format!("{mismatch}&state={}", state(&url));
    let error = client
        .token_get_from_callback(&mut pending, &ours)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&ErrorCode::new("redirect_mismatch")),
        "pending was kept for its owner"
    );
}
