//! `oauth tokens`, and how the store is kept.

use crate::program::{Running, World};

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
    assert!(
        before != after && after.lines().count() == 1,
        "the old key is gone"
    );
    assert_eq!(world.run_with(&token, &[SECRET]).succeeded().out, access);

    // Another key, or none, opens nothing, and nothing is made in its place.
    std::fs::write(&key, before).unwrap();
    let json = format!("{token} --output json");
    assert_eq!(
        world.run_with(&json, &[SECRET]).failed(14).error()["kind"],
        "store"
    );
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
