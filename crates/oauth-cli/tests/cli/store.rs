//! `oauth tokens`, and how the store is kept.

use crate::{
    endpoint::Endpoint,
    program::{Running, World},
};

const SECRET: (&str, &str) = ("OAUTH_CLIENT_SECRET", "svc-secret");

fn filled() -> (Running, World, String) {
    let server = Running::start("serve --demo --listen 127.0.0.1:0");
    let world = World::new();
    let token = format!("token --issuer {} --client-id svc", server.text("issuer"));
    world.run_with(&token, &[SECRET]).succeeded();
    let user = [
        SECRET,
        ("OAUTH_PASSWORD", "demo"),
        ("OAUTH_USERNAME", "demo"),
    ];
    world
        .run_with(&format!("{token} --subject ada"), &user)
        .succeeded();
    (server, world, token)
}

#[test]
fn listed_shown_deleted_and_cleared() {
    let (_server, world, _) = filled();
    let list = world.run("tokens list --output json").succeeded();
    assert_eq!(list.json().as_array().unwrap().len(), 2);
    assert!(
        list.out.contains("\"access_token\":\"***\""),
        "{}",
        list.out
    );
    assert_eq!(
        world
            .run("tokens list --subject ada")
            .succeeded()
            .out
            .lines()
            .count(),
        1
    );
    let shown = world
        .run("tokens show --subject ada --show-secrets --output json")
        .succeeded()
        .json();
    assert!(
        shown[0]["access_token"].as_str().unwrap().len() > 20,
        "{shown}"
    );
    assert!(
        shown[0]["refresh_token"].as_str().unwrap().len() > 20,
        "{shown}"
    );
    assert!(
        world
            .run("tokens show --subject ada")
            .succeeded()
            .out
            .contains("access_token: ***")
    );
    world.run("tokens show --subject nobody").failed(2);
    let deleted = world
        .run("tokens delete --subject ada --output json")
        .succeeded()
        .json();
    assert_eq!(deleted["deleted"], 1);
    let cleared = world.run("tokens clear --output json").succeeded().json();
    assert_eq!(cleared["deleted"], 1);
    assert_eq!(
        world.run("tokens list --output json").succeeded().json(),
        serde_json::json!([])
    );
}

#[test]
fn sealed_for_this_user_alone_and_with_another_key_when_asked() {
    let (_server, world, token) = filled();
    let folder = world.home.path().join(".local/share/oauth");
    let access = world.run_with(&token, &[SECRET]).succeeded().out;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let plain = bytes
            .windows(access.trim().len())
            .any(|part| part == access.trim().as_bytes());
        assert!(!plain, "{} has the token in clear", path.display());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    let key = folder.join("tokens.db.key");
    let before = std::fs::read_to_string(&key).unwrap();
    assert_eq!(
        world
            .run("tokens rotate-key --output json")
            .succeeded()
            .json()["sealed"],
        2
    );
    let after = std::fs::read_to_string(&key).unwrap();
    let lines: Vec<_> = after.lines().collect();
    assert_eq!(lines.len(), 2, "the old key stays once");
    assert!(lines[0] != before.trim() && lines[1] == before.trim());
    assert_eq!(world.run_with(&token, &[SECRET]).succeeded().out, access);
    world.run("tokens rotate-key").succeeded();
    let after = std::fs::read_to_string(&key).unwrap();
    assert!(!after.contains(before.trim()), "and then it is gone");
    assert_eq!(world.run_with(&token, &[SECRET]).succeeded().out, access);

    // Another key, or none, opens nothing, and nothing is made in its place.
    std::fs::write(&key, before).unwrap();
    let json = format!("{token} --output json");
    assert_eq!(
        world.run_with(&json, &[SECRET]).failed(14).error()["kind"],
        "store"
    );
    // Nobody is sent to the browser for a store that cannot keep what comes of it.
    let login = format!(
        "{} --no-browser --timeout 20s",
        token.replacen("token", "login", 1)
    );
    let refused = world.run_with(&login, &[SECRET]).failed(14);
    assert!(!refused.err.contains("http"), "{}", refused.err);
    std::fs::remove_file(&key).unwrap();
    assert_eq!(
        world.run_with(&json, &[SECRET]).failed(14).error()["kind"],
        "store"
    );
    assert!(!key.exists());
    let given = ("OAUTH_STORE_KEY", after.trim());
    assert_eq!(
        world.run_with(&token, &[SECRET, given]).succeeded().out,
        access
    );
}

#[test]
fn whose_tokens_are_listed_shown_and_deleted() {
    let (server, world, _) = filled();
    let issuer = server.text("issuer");
    let elsewhere = Endpoint::granting(
        serde_json::json!({"access_token": "elsewhere", "token_type": "bearer", "expires_in": 999_999_999_999_u64}),
    );
    let other = format!("{}/t", elsewhere.url());
    let token = format!("token --token-url {other} --client-id other");
    world.run_with(&token, &[SECRET]).succeeded();
    for (which, count) in [
        (format!("--issuer {issuer}"), 2),
        (format!("--issuer {other}"), 1),
        ("--issuer https://nobody.example".to_owned(), 0),
        ("--client-id svc".to_owned(), 2),
        ("--client-id svc --subject ada".to_owned(), 1),
        (format!("--issuer {issuer} --client-id other"), 0),
    ] {
        let list = world.run(&format!("tokens list {which}")).succeeded().out;
        assert_eq!(list.lines().count(), count, "{which}: {list}");
        let shown = world.run(&format!("tokens show {which} --output json"));
        if count == 0 {
            shown.failed(2);
        } else {
            let shown = shown.succeeded().json();
            assert_eq!(shown.as_array().unwrap().len(), count, "{which}");
        }
    }
    // What a profile says counts as if it were said here.
    let profiles = format!(
        "[other]\nissuer = {other:?}\noutput = \"json\"\nstore = \"sqlite:{}\"\n[bad]\nstore = 1\n",
        world
            .home
            .path()
            .join(".local/share/oauth/tokens.db")
            .display()
    );
    let config = world.file("oauth.toml", &profiles);
    let config = format!("--config {}", config.display());
    let list = world.run(&format!("tokens list {config} --profile other"));
    assert_eq!(list.succeeded().json().as_array().unwrap().len(), 1);
    let deleted = world.run(&format!("tokens delete {config} --profile other"));
    assert_eq!(deleted.succeeded().json()["deleted"], 1);
    world
        .run(&format!("tokens clear {config} --profile bad"))
        .failed(2);
    world.run("tokens delete --client-id nobody").succeeded();
    let left = world.run("tokens list --output json").succeeded().json();
    assert_eq!(left.as_array().unwrap().len(), 2);
    world.run("tokens delete --client-id svc").succeeded();
    assert_eq!(world.run("tokens list").succeeded().out, "");
}

#[test]
fn a_store_that_does_not_open() {
    let world = World::new();
    let file = world.file("not-a-database", "something else");
    let arguments = format!(
        "token --token-url https://a.invalid/t --client-id a --store sqlite:{} --output json",
        file.display()
    );
    let refused = world.run_with(&arguments, &[SECRET]).failed(14);
    assert_eq!(refused.error()["kind"], "store");
}
