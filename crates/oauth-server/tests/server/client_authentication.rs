use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InvalidClient, InvalidRequest, TemporarilyUnavailable};
use oauth_server::{
    BasicEncoding, BuildError, Client, ClientAuthenticationMethod, Clock, GeneratedSecret,
    GrantType, SecretCost, SecretHash, Source,
};

use crate::support::{SECRET, as_client, assert_refused, form, with_basic, world, world_with};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn posted(id: &str, secret: &str) -> Request<Bytes> {
    form(&[GRANT, ("client_id", id), ("client_secret", secret)])
}

#[tokio::test]
async fn header_and_body() {
    let world = world();
    let odd = Client::builder("an:identifier").secret_cost(SecretCost::LOW);
    let odd = odd
        .weak_secret(" %&+")
        .grants([GrantType::ClientCredentials]);
    world.clients.insert(odd.build().unwrap());
    for good in [
        as_client("app", &[GRANT]),
        as_client("app", &[GRANT, ("client_id", "app")]),
        posted("app", SECRET),
        with_basic(form(&[GRANT]), "an%3Aidentifier:+%25%26%2B"),
        posted("an:identifier", " %&+"),
    ] {
        world.server.token(&good).await.unwrap();
    }
    let error = world
        .server
        .token(&with_basic(form(&[GRANT]), "app:wrong"))
        .await;
    let error = assert_refused(error, 401, InvalidClient);
    assert!(
        error.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic ")
    );
    let error = world.server.token(&posted("app", "wrong")).await;
    let error = assert_refused(error, 400, InvalidClient);
    assert!(!error.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn nothing_before_authentication() {
    let world = world();
    for grant in [
        ("grant_type", "magic"),
        ("scope", "admin"),
        ("grant_type", "refresh_token"),
    ] {
        let request = with_basic(form(&[grant]), "app:wrong");
        assert_refused(world.server.token(&request).await, 401, InvalidClient);
    }
}

#[tokio::test]
async fn unknown_disabled_and_removed_are_like_a_wrong_secret() {
    let world = world();
    let live = world
        .server
        .token(&as_client("other", &[GRANT]))
        .await
        .unwrap();
    assert!(world.is_live(live.access_token()).await);
    let disabled = Client::builder("other")
        .secret(SECRET)
        .secret_cost(SecretCost::LOW);
    world
        .clients
        .insert(disabled.disabled(true).build().unwrap());
    assert!(
        !world.is_live(live.access_token()).await,
        "its tokens are inactive"
    );

    let wrong = world
        .server
        .token(&with_basic(form(&[GRANT]), "app:wrong"))
        .await
        .unwrap_err();
    for id in ["other", "unknown", "public"] {
        let refused = world.server.token(&as_client(id, &[GRANT])).await;
        assert_eq!(refused.unwrap_err(), wrong, "{id}");
    }
    let body = world
        .server
        .token(&posted("app", "wrong"))
        .await
        .unwrap_err();
    for id in ["other", "unknown", "public"] {
        let refused = world.server.token(&posted(id, SECRET)).await;
        assert_eq!(refused.unwrap_err(), body, "{id}");
    }
    let none = world
        .server
        .token(&form(&[GRANT, ("client_id", "app")]))
        .await;
    let none = assert_refused(none, 401, InvalidClient);
    for fields in [vec![GRANT], vec![GRANT, ("client_id", "unknown")]] {
        let refused = world.server.token(&form(&fields)).await;
        assert_eq!(refused.unwrap_err(), none, "{fields:?}");
    }
}

#[tokio::test]
async fn one_mechanism_only() {
    let world = world();
    let secret = ("client_secret", SECRET);
    let assertion = ("client_assertion", "a.b.c");
    for two in [
        as_client("app", &[GRANT, secret]),
        as_client("app", &[GRANT, assertion]),
        form(&[GRANT, ("client_id", "app"), secret, assertion]),
        with_basic(as_client("app", &[GRANT]), "app:x"),
        as_client("app", &[GRANT, ("client_id", "other")]),
    ] {
        assert_refused(world.server.token(&two).await, 400, InvalidRequest);
    }
    for header in [
        "Basic",
        "Basic !",
        "Basic YXBw",
        "Bearer x",
        "Basic YTpi=",
        "\u{9}",
    ] {
        let mut request = form(&[GRANT]);
        let value = http::HeaderValue::from_bytes(header.as_bytes()).unwrap();
        request.headers_mut().insert("authorization", value);
        assert_refused(world.server.token(&request).await, 401, InvalidClient);
    }
    let assertion = form(&[GRANT, ("client_id", "app"), assertion]);
    assert_refused(world.server.token(&assertion).await, 400, InvalidRequest);
}

#[tokio::test]
async fn the_registered_method_only() {
    let world = world();
    let client = || {
        Client::builder("app")
            .secret(SECRET)
            .secret_cost(SecretCost::LOW)
    };
    let client = |method| {
        let client = client().grants([GrantType::ClientCredentials]);
        client.authentication_method(method).build().unwrap()
    };
    world
        .clients
        .insert(client(ClientAuthenticationMethod::Post));
    world.server.token(&posted("app", SECRET)).await.unwrap();
    assert_refused(world.token(&[GRANT]).await, 401, InvalidClient);
    world
        .clients
        .insert(client(ClientAuthenticationMethod::Basic));
    world.token(&[GRANT]).await.unwrap();
    assert_refused(
        world.server.token(&posted("app", SECRET)).await,
        400,
        InvalidClient,
    );
}

#[tokio::test]
async fn raw_basic_by_switch() {
    let world = world_with(|builder| builder.basic_encoding(BasicEncoding::Raw));
    let client = Client::builder("raw")
        .weak_secret("a+b%")
        .secret_cost(SecretCost::LOW);
    world.clients.insert(
        client
            .grants([GrantType::ClientCredentials])
            .build()
            .unwrap(),
    );
    let request = with_basic(form(&[GRANT]), "raw:a+b%");
    world.server.token(&request).await.unwrap();
}

#[tokio::test]
async fn secrets_overlap_while_they_rotate() {
    let world = world();
    let new = GeneratedSecret::generate().unwrap();
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_060);
    let client = Client::builder("app")
        .secret_until(SECRET, until)
        .generated_secret(&new)
        .secret_cost(SecretCost::LOW)
        .grants([GrantType::ClientCredentials]);
    world.clients.insert(client.build().unwrap());
    world
        .server
        .token(&posted("app", new.expose()))
        .await
        .unwrap();
    world.advance(59);
    world.server.token(&posted("app", SECRET)).await.unwrap();
    world.advance(1);
    assert_refused(
        world.server.token(&posted("app", SECRET)).await,
        400,
        InvalidClient,
    );
    world
        .server
        .token(&posted("app", new.expose()))
        .await
        .unwrap();
}

#[tokio::test]
async fn oversize_credentials() {
    let world = world();
    let long = "x".repeat(513);
    assert_refused(
        world.server.token(&posted("app", &long)).await,
        400,
        InvalidClient,
    );
    assert_refused(
        world.server.token(&posted(&long, "x")).await,
        400,
        InvalidClient,
    );
    let header = with_basic(form(&[GRANT]), &format!("app:{long}"));
    assert_refused(world.server.token(&header).await, 401, InvalidClient);
}

#[tokio::test]
async fn guessing_is_throttled_where_it_comes_from() {
    let world = world_with(|builder| builder.throttle(3, Duration::from_secs(60)));
    let from = |host: u8, secret: &str| {
        let mut request = posted("app", secret);
        request
            .extensions_mut()
            .insert(Source([127, 0, 0, host].into()));
        request
    };
    for _ in 0..3 {
        assert_refused(
            world.server.token(&from(1, "wrong")).await,
            400,
            InvalidClient,
        );
    }
    let error = world.server.token(&from(1, SECRET)).await;
    let error = assert_refused(error, 429, TemporarilyUnavailable);
    assert_eq!(error.headers()["retry-after"], "61");
    world
        .server
        .token(&from(2, SECRET))
        .await
        .expect("another source");
    world
        .server
        .token(&posted("app", SECRET))
        .await
        .expect("no source");
    world.advance(60);
    world
        .server
        .token(&from(1, SECRET))
        .await
        .expect("the window is over");

    for _ in 0..3 {
        assert_refused(
            world.server.token(&from(3, "wrong")).await,
            400,
            InvalidClient,
        );
        assert_refused(
            world.server.token(&from(3, "wrong")).await,
            400,
            InvalidClient,
        );
        world
            .server
            .token(&from(3, SECRET))
            .await
            .expect("a success starts the count anew");
    }
}

#[test]
fn a_generated_secret_has_256_bits() {
    let all: std::collections::BTreeSet<_> = (0..100)
        .map(|_| GeneratedSecret::generate().unwrap())
        .map(|secret| secret.expose().to_owned())
        .collect();
    assert_eq!(all.len(), 100);
    // 43 characters of six bits each, the last of which has two bits less.
    let is_one = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    for secret in &all {
        assert!(secret.len() == 43 && secret.chars().all(is_one));
    }
    for at in 0..42 {
        let seen: std::collections::BTreeSet<_> = all.iter().map(|it| it.as_bytes()[at]).collect();
        assert!(seen.len() > 20, "position {at} is hardly random");
    }
}

#[tokio::test]
async fn a_client_from_stored_hashes() {
    let world = world();
    let generated = GeneratedSecret::generate().unwrap();
    let chosen = SecretHash::chosen(SECRET, SecretCost::LOW).unwrap();
    let hashed = SecretHash::generated(&generated).unwrap();
    let stored = [chosen, hashed].map(|hash| hash.to_string());
    let until = world.clock.now() + Duration::from_secs(10);
    let client = Client::builder("stored")
        .secret_hash(stored[0].parse().unwrap(), Some(until))
        .secret_hash(stored[1].parse().unwrap(), None)
        .build()
        .unwrap();
    world.clients.insert(client);
    let authenticated = async |secret: &str| {
        let request = form(&[("client_id", "stored"), ("client_secret", secret)]);
        world.server.authenticate_client(&request).await.is_ok()
    };
    assert!(authenticated(SECRET).await);
    assert!(authenticated(generated.expose()).await);
    assert!(!authenticated(&stored[0]).await, "a hash is no secret");
    world.advance(10);
    assert!(!authenticated(SECRET).await, "it has ended");
    assert!(authenticated(generated.expose()).await);
}

#[test]
fn registration_refuses_what_is_unsafe() {
    let build = |client: oauth_server::ClientBuilder| {
        let client = client.secret_cost(SecretCost::LOW);
        client.build().unwrap_err()
    };
    let client = || Client::builder("c");
    assert!(matches!(build(client()), BuildError::ClientKind));
    assert!(matches!(
        build(client().public().secret(SECRET)),
        BuildError::ClientKind
    ));
    assert!(matches!(
        build(client().secret("fifteen letters")),
        BuildError::Secret
    ));
    assert!(matches!(
        build(client().weak_secret("")),
        BuildError::Secret
    ));
    assert!(matches!(
        build(Client::builder("a\n").public()),
        BuildError::ClientId
    ));
    let fragment = client().public().redirect_uri("https://a.example/#f");
    assert!(matches!(build(fragment), BuildError::RedirectUri));
    let plain = client().public().redirect_uri("http://a.example/cb");
    assert!(matches!(build(plain), BuildError::RedirectUri));
    let forever = client().public().refresh_token_lifetime(Duration::MAX);
    assert!(matches!(build(forever), BuildError::Setting(_)));
    let three = client().secret(SECRET).secret(SECRET).secret(SECRET);
    assert!(matches!(build(three), BuildError::Setting(_)));
    let keep = client()
        .public()
        .refresh_rotation(oauth_server::RefreshRotation::Keep);
    assert!(matches!(build(keep), BuildError::Setting(_)));
    let default = client().public().scopes(["a"]).default_scopes(["b"]);
    assert!(matches!(build(default), BuildError::Setting(_)));
}
