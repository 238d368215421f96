//! Stores that several machines share, on real servers.

use oauth_core::{random::OsRandom, secrecy::ExposeSecret};
use oauth_store::Key;
use serde_json::json;
use test_servers::{PostgresServer, RedisServer};

use crate::{
    login::{get, location, started},
    program::{Running, World},
};

#[test]
fn postgres() {
    let server = PostgresServer::start().unwrap();
    let dump = || {
        let table = "select table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')";
        let tables = server.sql(table).unwrap();
        let rows = tables.lines().map(|name| {
            let rows = format!("select coalesce(string_agg(t::text, ','), '') from {name} t");
            server.sql(&rows).unwrap()
        });
        rows.collect::<String>()
    };
    keeps_tokens(&server.url(), dump);
    let url = server.url();
    drop(server);
    is_gone(&url);
}

#[test]
fn redis() {
    let server = RedisServer::start().unwrap();
    let dump = || {
        let file = server.folder().join("appendonlydir");
        let files = std::fs::read_dir(file).unwrap().flatten();
        let text = files.map(|file| std::fs::read(file.path()).unwrap());
        text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect::<String>()
    };
    keeps_tokens(&server.url(), dump);
    let url = server.url();
    drop(server);
    is_gone(&url);
}

/// `dump` is all that the server has.
fn keeps_tokens(store: &str, dump: impl Fn() -> String) {
    let demo = Running::start("serve --demo --listen 127.0.0.1:0");
    let token = format!(
        "token --issuer {} --client-id svc --output json",
        demo.text("issuer")
    );
    let (one, two) = (World::new(), World::new());
    let (old, new) = (line("old"), line("new"));
    let base = [
        ("OAUTH_CLIENT_SECRET", "svc-secret"),
        ("OAUTH_STORE", store),
    ];
    let with = |world: &World, command: &str, key: &str| {
        let [secret, store] = base;
        world.run_with(command, &[secret, store, ("OAUTH_STORE_KEY", key)])
    };

    // A key on one machine would lock the others out.
    let refused = one.run_with(&token, &base).failed(2).error();
    assert!(
        refused["description"]
            .as_str()
            .unwrap()
            .contains("OAUTH_STORE_KEY")
    );

    let first = with(&one, &token, &old).succeeded();
    assert_eq!(first.err, "");
    let first = first.json();
    assert_eq!(first["from"], "grant");
    let access = first["access_token"].as_str().unwrap();
    let kept = dump();
    assert!(
        !kept.is_empty() && !kept.contains(access),
        "in clear: {kept}"
    );
    // Another machine, with the key in a file.
    let file = two.secret_file("key", &old);
    let by_file = format!("{token} --store-key-file {}", file.display());
    let second = two.run_with(&by_file, &base).succeeded().json();
    assert_eq!(
        (&second["from"], second["access_token"].as_str()),
        (&"store".into(), Some(access))
    );
    assert_eq!(with(&two, &token, &new).failed(14).error()["kind"], "store");

    let both = format!("{new}\n{old}");
    let rotated = with(&one, "tokens rotate-key --output json", &both).succeeded();
    assert_eq!(rotated.json(), json!({"sealed": 1}));
    with(&two, &token, &old).failed(14);
    assert_eq!(with(&two, &token, &new).succeeded().json()["from"], "store");
    let list = with(&two, "tokens list --output json", &new).succeeded();
    assert_eq!(list.json().as_array().unwrap().len(), 1);
    with(&one, "tokens clear", &new).succeeded();
    assert_eq!(with(&two, "tokens list", &new).succeeded().out, "");
}

/// What the user has allowed is not lost with a store that is gone by then.
#[test]
fn a_login_that_cannot_be_stored() {
    let emulator = Running::start("emulate rfc");
    for output in ["--output json", ""] {
        let mut server = RedisServer::start().unwrap();
        let (url, key) = (server.url(), line("key"));
        let arguments = format!(
            "login --issuer {} --client-id pub --no-browser {output}",
            emulator.text("base_url")
        );
        let variables = [("OAUTH_STORE", &*url), ("OAUTH_STORE_KEY", &*key)];
        let login = started(&arguments, &variables);
        server.kill();
        get(&location(&get(&login.address)));
        let (exit, out, err, _) = login.end();
        assert_eq!(exit, 14, "{err}");
        if output.is_empty() {
            assert_eq!(out, "");
            assert!(err.contains("--output json"), "{err}");
        } else {
            let token: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert!(token["access_token"].as_str().unwrap().len() > 20, "{out}");
            assert!(err.contains("could not be stored"), "{err}");
        }
    }
}

fn is_gone(store: &str) {
    let key = line("key");
    let variables = [("OAUTH_STORE", store), ("OAUTH_STORE_KEY", &key)];
    let refused = World::new().run_with("tokens list --output json", &variables);
    assert_eq!(refused.failed(14).error()["kind"], "store");
}

fn line(name: &str) -> String {
    let key = Key::generate(name, &OsRandom).unwrap();
    key.to_line().expose_secret().to_owned()
}
