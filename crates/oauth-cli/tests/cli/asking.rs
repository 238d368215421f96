//! What is sent, and what is not: nothing before the input is known to be good, nothing that is
//! secret to an address that is not the server's, nothing when the store has the answer.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::{
    endpoint::{self, Endpoint},
    program::World,
};

const SECRET: (&str, &str) = ("OAUTH_CLIENT_SECRET", "secret");

fn issuer(expires_in: u32) -> Endpoint {
    Endpoint::issuer(move |request| match request.path() {
        "/t" => {
            let token =
                json!({"access_token": "access", "token_type": "bearer", "expires_in": expires_in});
            endpoint::json(200, &token.to_string())
        }
        _ => endpoint::json(404, "{}"),
    })
}

#[test]
fn bad_input_is_told_before_the_metadata_are_fetched() {
    let issuer = issuer(3600);
    let world = World::new();
    let key = world.file("key", "no key");
    let at = |command: &str| {
        let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
        format!(
            "{command} --issuer {} --client-id a --output json {rest}",
            issuer.url()
        )
    };
    let bad = ("OAUTH_TOKEN", "\u{e9}");
    let password = ("OAUTH_PASSWORD", "p");
    for (command, variable) in [
        ("token --grant password", password),
        ("token --username u", SECRET),
        ("token --grant refresh_token", SECRET),
        ("token --grant authorization_code", SECRET),
        ("token --grant jwt_bearer", SECRET),
        ("token --grant token_exchange", SECRET),
        ("token --grant device_code --param a=b", SECRET),
        ("token --client-auth post", password),
        ("login --redirect-uri https://127.0.0.1/c", SECRET),
        ("login --redirect-uri nonsense", SECRET),
        ("login --device --param a=b", SECRET),
        ("login --client-auth client-secret-jwt", password),
        ("login --param client_id=b", SECRET),
        ("revoke", bad),
        ("validate", bad),
        ("introspect", bad),
        ("userinfo", bad),
        ("introspect --client-auth private-key-jwt", SECRET),
        (
            &format!("revoke --private-key-file {}", key.display()),
            SECRET,
        ),
    ] {
        let refused = world.run_with(&at(command), &[variable]).failed(2);
        assert_eq!(refused.error()["kind"], "usage", "{command}");
        assert_eq!(issuer.take().len(), 0, "{command}: {}", refused.err);
    }
    // Not even a store is made.
    let moov = World::new();
    let arguments = format!(
        "token --provider moov --base-url {} --client-id a",
        issuer.url()
    );
    let refused = moov.run_with(&arguments, &[SECRET]).failed(2);
    assert!(refused.err.contains("--origin"), "{}", refused.err);
    assert_eq!(issuer.take().len(), 0);
    assert!(!moov.home.path().join(".local").exists());
}

/// What the first token took may be gone when the store, or a refresh token, has the next one.
#[test]
fn a_grants_secret_is_not_missed_where_it_is_not_needed() {
    let granted = AtomicU32::new(0);
    let issuer = Endpoint::issuer(move |_| {
        let access = format!("access-{}", granted.fetch_add(1, Ordering::Relaxed));
        let token = json!({"access_token": access, "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"});
        endpoint::json(200, &token.to_string())
    });
    let world = World::new();
    let token = format!(
        "token --issuer {} --client-id a --username u --output json",
        issuer.url()
    );
    let granted = world.run_with(&token, &[SECRET, ("OAUTH_PASSWORD", "p")]);
    assert_eq!(granted.succeeded().json()["from"], "grant");
    let stored = world.run_with(&token, &[SECRET]).succeeded().json();
    assert_eq!(stored["from"], "store");
    let refreshed = world.run_with(&format!("{token} --fresh"), &[SECRET]);
    assert_eq!(refreshed.succeeded().json()["from"], "refresh");
}

/// The issuer is no token endpoint: no secret is sent there.
#[test]
fn a_token_with_parameters_answers_no_request_without_them() {
    let issuer = issuer(3600);
    let world = World::new();
    let token = format!(
        "token --issuer {} --client-id a --output json",
        issuer.url()
    );
    let with = format!("{token} --param audience=b");
    world.run_with(&with, &[SECRET]).succeeded();
    assert_eq!(issuer.paths(), ["/t"]);
    let without = world.run_with(&token, &[SECRET]).succeeded().json();
    assert_eq!(without["from"], "grant");
    assert_eq!(issuer.paths(), ["/t"]);
    for known in [with, token] {
        let stored = world.run_with(&known, &[SECRET]).succeeded().json();
        assert_eq!(stored["from"], "store", "{known}");
        assert_eq!(issuer.take().len(), 0, "{known}");
    }
}

#[test]
fn a_token_that_lives_on_for_minutes_needs_no_metadata() {
    for expires_in in [200, 50] {
        let issuer = issuer(expires_in);
        let world = World::new();
        let token = format!(
            "token --issuer {} --client-id a --output json",
            issuer.url()
        );
        world.run_with(&token, &[SECRET]).succeeded();
        assert_eq!(issuer.paths(), ["/t"]);
        let stored = world.run_with(&token, &[SECRET]).succeeded().json();
        assert_eq!(stored["from"], "store", "{expires_in}");
        assert_eq!(issuer.take().len(), 0, "{expires_in}");
    }
}

#[test]
fn a_logins_parameters_are_in_both_its_requests() {
    let issuer = issuer(3600);
    let arguments = format!(
        "login --issuer {} --client-id a --no-browser --param audience=b --param resource=https://c.example",
        issuer.url()
    );
    let login = crate::login::started(&arguments, &[SECRET]);
    let asked: std::collections::HashMap<_, _> = login.address.query_pairs().into_owned().collect();
    assert_eq!(
        (&*asked["audience"], &*asked["resource"]),
        ("b", "https://c.example")
    );
    issuer.take();
    let mut back = login.redirect_uri();
    back.set_query(Some(&format!("code=c&state={}", asked["state"])));
    crate::login::get(&back);
    let (exit, _, err, _) = login.end();
    assert_eq!(exit, 0, "{err}");
    let request = issuer.only_request();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("audience", "b"),
        ("resource", "https://c.example"),
    ] {
        assert_eq!(request.member(name).as_deref(), Some(value), "{name}");
    }
}
