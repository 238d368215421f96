//! The scopes that exist, the lifetime of codes, and the implicit grant.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InvalidGrant, InvalidScope, UnsupportedGrantType};
use oauth_server::{AuthorizeError, GrantType, Scope, ScopeRecord, memory::MemoryScopes};

use crate::support::{
    ALL_GRANTS, CALLBACK, CHALLENGE, VERIFIER, World, app, assert_refused, world, world_with,
};

fn scope(name: &str) -> ScopeRecord {
    ScopeRecord::new(name, "").unwrap()
}

async fn granted(world: &World, asked: &str) -> Result<String, oauth_server::OAuthError> {
    let fields = [("grant_type", "client_credentials"), ("scope", asked)];
    let tokens = world.token(&fields).await?;
    Ok(tokens.scope().to_string())
}

#[tokio::test]
async fn only_scopes_that_exist_are_granted() {
    let scopes = Arc::new(MemoryScopes::from_iter([
        scope("read").default_scope(true),
        scope("admin").default_scope(true),
    ]));
    let world = world_with(|it| it.scopes(scopes.clone()));
    assert_eq!(granted(&world, "read").await.unwrap(), "read");
    for bad in ["write", "admin", "read write"] {
        assert_refused(granted(&world, bad).await, 400, InvalidScope);
    }
    scopes.insert(scope("write"));
    assert_eq!(granted(&world, "read write").await.unwrap(), "read write");

    let any = app("app").any_scope().default_scopes([""; 0]);
    world.clients.insert(any.build().unwrap());
    assert_eq!(granted(&world, "admin").await.unwrap(), "admin");
    assert_refused(granted(&world, "unheard-of").await, 400, InvalidScope);
}

#[tokio::test]
async fn defaults_of_the_server_are_for_clients_without_their_own() {
    let scopes = [
        scope("read"),
        scope("write").default_scope(true),
        scope("admin").default_scope(true),
    ];
    let world = world_with(|it| it.scopes(Arc::new(MemoryScopes::from_iter(scopes))));
    assert_eq!(granted(&world, "").await.unwrap(), "read", "its own");
    let client = app("app").default_scopes([""; 0]);
    world.clients.insert(client.build().unwrap());
    assert_eq!(
        granted(&world, "").await.unwrap(),
        "write",
        "what it may have"
    );
}

#[test]
fn a_scope_record_is_of_one_token() {
    for bad in ["", " ", "a b", "a\"", "ä"] {
        assert!(ScopeRecord::new(bad, "").is_err(), "{bad:?}");
    }
    assert!(Scope::parse(&scope("user:read").name).is_ok());
}

fn authorization(response_type: &str) -> Request<Bytes> {
    let query = format!(
        "/authorize?client_id=app&response_type={response_type}&state=xyz\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    Request::get(query).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_client_has_a_code_lifetime_of_its_own() {
    for (seconds, fits) in [(0, true), (9, true), (10, false)] {
        let world = world();
        let client = app("app").authorization_code_lifetime(Duration::from_secs(10));
        world.clients.insert(client.build().unwrap());
        let request = world.server.preauthorize(&authorization("code")).await;
        let answer = world.server.authorize(&request.unwrap(), "person-1").await;
        world.advance(seconds);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", answer.as_ref().unwrap().code()),
            ("code_verifier", VERIFIER),
        ];
        match world.token(&fields).await {
            result if fits => assert!(result.is_ok(), "{seconds}"),
            result => drop(assert_refused(result, 400, InvalidGrant)),
        }
    }
}

#[tokio::test]
async fn the_implicit_grant_is_off() {
    let world = world();
    let refused = world.server.preauthorize(&authorization("token")).await;
    let Err(AuthorizeError::Redirect { location, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(location.starts_with(&format!("{CALLBACK}?error=unsupported_response_type")));
    assert!(!world.server.metadata().to_string().contains("implicit"));
}

#[tokio::test]
async fn switched_on_it_answers_in_the_fragment_without_a_refresh_token() {
    let grants = || ALL_GRANTS.into_iter().chain([GrantType::Implicit]);
    let world = world_with(|it| {
        it.grant_types(grants())
            .authorization_endpoint("https://auth.example/authorize")
    });
    let metadata = world.server.metadata();
    let types = serde_json::json!(["code", "token"]);
    assert_eq!(metadata["response_types_supported"], types);

    let refused = world.server.preauthorize(&authorization("token")).await;
    let Err(AuthorizeError::Redirect { location, .. }) = refused else {
        panic!("{refused:?}")
    };
    let error = format!("{CALLBACK}#error=unauthorized_client");
    assert!(
        location.starts_with(&error),
        "this client may not: {location}"
    );

    world
        .clients
        .insert(app("app").grants(grants()).build().unwrap());
    let request = world.server.preauthorize(&authorization("token")).await;
    let answer = world.server.authorize(&request.unwrap(), "person-1").await;
    let location = answer.as_ref().unwrap().location();
    let (uri, fragment) = location.split_once('#').unwrap();
    assert_eq!(uri, CALLBACK);
    let answer: std::collections::HashMap<_, _> = form_urlencoded::parse(fragment.as_bytes())
        .into_owned()
        .collect();
    assert!(world.is_live(&answer["access_token"]).await);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["state"], "xyz");
    assert_eq!(answer["iss"], "https://auth.example");
    assert!(!answer.contains_key("refresh_token") && !answer.contains_key("code"));

    let asked = world.token(&[("grant_type", "implicit")]).await;
    assert_refused(asked, 400, UnsupportedGrantType);
}

#[tokio::test]
async fn bound_tokens_are_not_given_without_a_proof() {
    let mut grants = ALL_GRANTS.to_vec();
    grants.push(GrantType::Implicit);
    let world = world_with(|it| it.grant_types(grants.clone()));
    let client = app("app").grants(grants).dpop_bound_access_tokens(true);
    world.clients.insert(client.build().unwrap());
    let refused = world.server.preauthorize(&authorization("token")).await;
    let code = refused.unwrap_err().error().code();
    assert_eq!(code, oauth_server::ErrorCode::UnauthorizedClient);
    world
        .server
        .preauthorize(&authorization("code"))
        .await
        .unwrap();
}
