use std::collections::HashSet;

use http::Method;
use oauth_server::ErrorCode::{
    InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient, UnsupportedGrantType,
};
use oauth_server::{Client, GrantType, TokenHash};

use crate::support::{
    CALLBACK, CHALLENGE, SECRET, as_client, assert_refused, form, raw, with_basic, world,
    world_with,
};

const GOOD: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn client_credentials() {
    let world = world();
    let token = world.token(&GOOD).await.unwrap();
    assert_eq!(token.token_type(), "Bearer");
    assert_eq!(token.expires_in(), 3600);
    assert_eq!(token.scope().to_string(), "read", "the default");
    assert_eq!(token.refresh_token(), None);
    assert_eq!(token.subject(), None);

    let json = serde_json::to_value(&token).unwrap();
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["access_token", "expires_in", "scope", "token_type"]
    );

    world.advance(3599);
    assert!(world.is_live(token.access_token()).await);
    world.advance(1);
    assert!(!world.is_live(token.access_token()).await);
}

#[tokio::test]
async fn only_posted_forms() {
    let world = world();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ] {
        let mut request = as_client("app", &GOOD);
        *request.method_mut() = method;
        let error = assert_refused(world.server.token(&request).await, 405, InvalidRequest);
        assert_eq!(error.headers()["allow"], "POST");
    }
    for content_type in ["application/json", "multipart/form-data", "text/plain", ""] {
        let mut request = as_client("app", &GOOD);
        request.headers_mut().remove("content-type");
        if !content_type.is_empty() {
            let value = content_type.parse().unwrap();
            request.headers_mut().insert("content-type", value);
        }
        assert_refused(world.server.token(&request).await, 400, InvalidRequest);
    }
    for query in ["grant_type=client_credentials", "x"] {
        let mut request = as_client("app", &GOOD);
        *request.uri_mut() = format!("/token?{query}").parse().unwrap();
        assert_refused(world.server.token(&request).await, 400, InvalidRequest);
    }
    let large = as_client("app", &[GOOD[0], ("padding", &"x".repeat(65_536))]);
    let error = assert_refused(world.server.token(&large).await, 413, InvalidRequest);
    assert_eq!(error.headers()["connection"], "close");
}

#[tokio::test]
async fn odd_forms() {
    let world = world();
    let as_app = |body: &str| {
        let request = raw(&format!("grant_type=client_credentials&{body}"));
        with_basic(request, &format!("app:{}", SECRET.replace(' ', "+")))
    };
    for good in [
        "unknown=1",
        "scope=",
        "scope=read+read",
        "resource=",
        "audience=a&audience=b",
    ] {
        let token = world.server.token(&as_app(good)).await;
        assert_eq!(token.unwrap().scope().to_string(), "read", "{good}");
    }
    for bad in [
        "scope=read&scope=read",
        "x=1&x=2",
        "grant_type=",
        "x=%zz",
        "x=%ff",
        "x=%00",
    ] {
        let refused = world.server.token(&as_app(bad)).await;
        assert_refused(refused, 400, InvalidRequest);
    }
    for scope in [
        "a%0Ab",
        "%22",
        "%5C",
        "%C3%A4",
        "admin",
        "read+admin",
        "%20",
        "+read",
        "read+",
        "read++write",
    ] {
        let refused = world.server.token(&as_app(&format!("scope={scope}"))).await;
        assert_refused(refused, 400, InvalidScope);
    }
}

#[tokio::test]
async fn grant_types() {
    let world = world_with(|builder| builder.grant_types([GrantType::ClientCredentials]));
    world.clients.insert(
        Client::builder("none")
            .generated_secret(&oauth_server::GeneratedSecret::generate().unwrap())
            .secret(SECRET)
            .build()
            .unwrap(),
    );
    assert_refused(world.token(&[]).await, 400, InvalidRequest);
    for unsupported in ["magic", "password", "Client_Credentials"] {
        let refused = world.token(&[("grant_type", unsupported)]).await;
        assert_refused(refused, 400, UnsupportedGrantType);
    }
    let refused = world.server.token(&as_client("none", &GOOD)).await;
    assert_refused(refused, 400, UnauthorizedClient);
    let public = form(&[GOOD[0], ("client_id", "public")]);
    assert_refused(world.server.token(&public).await, 400, UnauthorizedClient);
}

#[tokio::test]
async fn resources() {
    let none = world();
    let refused = none
        .token(&[GOOD[0], ("resource", "https://a.example")])
        .await;
    assert_refused(refused, 400, InvalidTarget);

    let world = world_with(|it| it.resources(["https://a.example", "https://b.example"]));
    for bad in ["https://c.example", "/relative", "https://a.example#f"] {
        let refused = world.token(&[GOOD[0], ("resource", bad)]).await;
        assert_refused(refused, 400, InvalidTarget);
    }
    let a = ("resource", "https://a.example");
    let several = world
        .token(&[GOOD[0], a, ("resource", "https://b.example")])
        .await;
    assert_refused(several, 400, InvalidTarget);
    let token = world.token(&[GOOD[0], a]).await.unwrap();
    let record = world.server.access_token(token.access_token()).await;
    assert_eq!(record.unwrap().unwrap().audience(), ["https://a.example"]);
}

#[tokio::test]
async fn a_thousand_at_once_are_distinct() {
    let world = world();
    let requests = (0..1000).map(|_| {
        let server = world.server.clone();
        tokio::spawn(async move { server.token(&as_client("app", &GOOD)).await })
    });
    let mut tokens = HashSet::new();
    for request in requests.collect::<Vec<_>>() {
        tokens.insert(request.await.unwrap().unwrap().access_token().to_owned());
    }
    assert_eq!(tokens.len(), 1000);
}

#[tokio::test]
async fn ended_tokens_are_purged() {
    let world = world();
    for _ in 0..100 {
        world.token(&GOOD).await.unwrap();
    }
    world.advance(3600);
    for _ in 0..10 {
        world.token(&GOOD).await.unwrap();
    }
    let dump = world.tokens.dump();
    assert_eq!(dump["access_tokens"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn only_hashes_are_stored() {
    let world = world();
    let token = world.login().await;
    let device = as_client("app", &[]);
    let device = world.server.device_authorization(&device).await.unwrap();
    let request = http::Request::get(format!(
        "/authorize?response_type=code&client_id=app&redirect_uri={CALLBACK}\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    ));
    let request = request.body(bytes::Bytes::new()).unwrap();
    let request = world.server.preauthorize(&request).await.unwrap();
    let code = world.server.authorize(&request, "person-1").await.unwrap();

    let dump = format!(
        "{}{}{}{}{}",
        world.clients.dump(),
        world.tokens.dump(),
        world.codes.dump(),
        world.devices.dump(),
        world.owners.dump()
    );
    let refresh = token.refresh_token().unwrap();
    for stored in [
        token.access_token(),
        refresh,
        device.device_code(),
        code.code(),
    ] {
        assert!(!dump.contains(stored), "{stored} in {dump}");
        assert!(dump.contains(&TokenHash::of(stored).to_string()), "{dump}");
    }
    for secret in [SECRET, "her pass phrase", device.user_code()] {
        assert!(!dump.contains(secret), "{secret} in {dump}");
    }
    let debug = format!("{world:?}{token:?}{device:?}{code:?}", world = world.server);
    for secret in [
        token.access_token(),
        refresh,
        device.device_code(),
        code.code(),
    ] {
        assert!(!debug.contains(secret), "{debug}");
    }
}
