//! What is known of users.

use std::time::Duration;

use oauth_core::{ErrorKind, TokenManager};

use crate::{
    parts::{builder, login, seconds, settle, user},
    server::Server,
};

async fn logged_in(server: &Server) -> TokenManager {
    let tokens = builder(server).build();
    let token = login(server, "access-0", "refresh-0");
    tokens.register(&user(), token).await.unwrap();
    tokens
}

#[tokio::test]
async fn userinfo_is_asked_once_per_interval_however_many_ask() {
    let server = Server::new();
    let tokens = logged_in(&server).await;
    server.at("/userinfo", 200, r#"{"sub":"u","name":"Jane"}"#);
    server.hold();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.claims(&user()).await })
        })
        .collect();
    server.until(1).await;
    settle().await;
    server.go();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap()["name"], "Jane");
    }
    assert_eq!(server.asked("/userinfo"), 1);
    server.clock.advance(seconds(29));
    tokens.claims(&user()).await.unwrap();
    assert_eq!(server.asked("/userinfo"), 1);
    server.clock.advance(Duration::from_secs(1));
    server.at("/userinfo", 200, r#"{"sub":"u","name":"Joan"}"#);
    assert_eq!(tokens.claims(&user()).await.unwrap()["name"], "Joan");
    assert_eq!(server.asked("/userinfo"), 2);
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_refused_and_not_kept() {
    let server = Server::new();
    let tokens = logged_in(&server).await;
    server.at("/userinfo", 200, r#"{"sub":"u","name":"Jane"}"#);
    tokens.claims(&user()).await.unwrap();
    server.clock.advance(seconds(30));
    server.at("/userinfo", 200, r#"{"sub":"mallory","name":"Mallory"}"#);
    let error = tokens.claims(&user()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(!error.to_string().contains("mallory"));
    server.at("/userinfo", 200, r#"{"sub":"u"}"#);
    server.clock.advance(seconds(60));
    assert_eq!(tokens.claims(&user()).await.unwrap()["sub"], "u");
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_asked_once_and_then_with_a_backoff() {
    let server = Server::new();
    let tokens = logged_in(&server).await;
    server.at("/userinfo", 503, "");
    server.hold();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.claims(&user()).await })
        })
        .collect();
    server.until(1).await;
    settle().await;
    server.go();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
    }
    assert_eq!(server.asked("/userinfo"), 1);
    server.at("/userinfo", 200, r#"{"sub":"u"}"#);
    tokens.claims(&user()).await.unwrap_err();
    // A new login is another try at once.
    let token = login(&server, "access-new", "refresh-new");
    tokens.replace(&user(), token).await.unwrap();
    assert_eq!(tokens.claims(&user()).await.unwrap()["sub"], "u");
    assert_eq!(server.asked("/userinfo"), 2);
}

#[tokio::test]
async fn with_the_last_token_goes_what_is_known_of_the_user() {
    let world = crate::parts::World::new().await;
    world
        .server
        .at("/userinfo", 200, r#"{"sub":"u","name":"Jane"}"#);
    world.tokens.claims(&user()).await.unwrap();
    let access = world.tokens.get(&user(), None).await.unwrap();
    let access = access.access_token();
    world.tokens.delete(&user(), &access).await.unwrap();
    use oauth_core::store::TokenStore;
    let owner = world.tokens.owner(&user());
    let stored = world.store.inner.load(&owner).await.unwrap().unwrap();
    assert!(stored.record.is_empty(), "{:?}", stored.record.claims());
}

#[cfg(all(feature = "jwt-assertion", feature = "openid"))]
mod id_tokens {
    use oauth_core::{
        AccessToken, Client, SigningKey, TokenSet, clock::Clock, jose::Assertion, openid::Expected,
        secrecy::ExposeSecret,
    };
    use serde_json::json;

    use super::*;
    use crate::parts::{HOUR, World};

    /// Made as an assertion is: both are JWTs with the same claims.
    fn signed(client: &Client, key: &SigningKey, subject: &str, name: &str) -> String {
        let claims = Assertion::new("https://id.example.com", subject, "client");
        let claims = claims.with_claim("name", name);
        let signed = claims.sign(key, client).unwrap();
        signed.expose_secret().to_owned()
    }

    /// The next refresh brings this id token.
    fn refreshes_to(server: &Server, access: &str, id_token: &str) {
        let answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": format!("refresh-of-{access}"),
            "id_token": id_token,
        });
        server.script(Ok((200, answer.to_string())));
    }

    #[tokio::test]
    async fn the_id_token_of_a_refresh_counts_when_it_is_true() {
        let World { server, tokens, .. } = World::new().await;
        let client = tokens.client().clone();
        let key = SigningKey::generate().unwrap();
        let jwks = json!({"keys": [key.public_jwk()]}).to_string();
        server.at("/jwks", 200, &jwks);
        server.at(
            "/userinfo",
            200,
            r#"{"sub":"u","name":"unsigned","email":"jane@example.com"}"#,
        );
        let extra = json!({"id_token": signed(&client, &key, "u", "Jane")});
        let token = TokenSet::new(AccessToken::new("at").unwrap(), server.clock.now())
            .with_extra(extra.as_object().unwrap().clone());
        let claims = client.verify_id_token(&token, &Expected::new()).await;
        tokens.register_claims(&user(), &claims.unwrap()).await;
        let known = tokens.claims(&user()).await.unwrap();
        assert_eq!(known["name"], "Jane", "what is signed comes first");
        assert_eq!(known["email"], "jane@example.com");

        let stranger = SigningKey::generate().unwrap();
        let cases = [
            ("a-1", &key, "u", "Joan", "Joan"),
            ("a-2", &key, "mallory", "Mallory", "Joan"),
            ("a-3", &stranger, "u", "forged", "Joan"),
            ("a-4", &key, "u", "Jean", "Jean"),
        ];
        for (access, key, subject, says, name) in cases {
            server.clock.advance(HOUR);
            let id_token = signed(&client, key, subject, says);
            refreshes_to(&server, access, &id_token);
            let token = tokens.get(&user(), None).await.unwrap();
            assert_eq!(
                token.expose_secret(),
                access,
                "the token is real all the same"
            );
            settle().await;
            assert_eq!(
                tokens.claims(&user()).await.unwrap()["name"],
                name,
                "{access}"
            );
        }
    }
}
