//! The store's key in a keyring: a Secret Service on a bus of its own.

#![cfg(target_os = "linux")]

use std::{os::unix::fs::PermissionsExt, process::Command};

use crate::program::{Outcome, Running, World, program};

/// Starts the service with an unlocked keyring, runs each command of standard input, ends it.
const SESSION: &str = r#"
printf password | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
service=$!
trap 'kill $service' EXIT
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.GetNameOwner string:org.freedesktop.secrets >/dev/null 2>&1
do sleep 0.05; done
sh -euc "$0"
"#;

#[test]
fn the_key_is_in_the_keyring_where_there_is_one() {
    let demo = Running::start("serve --demo --listen 127.0.0.1:0");
    let world = World::new();
    let token = format!("token --issuer {} --client-id svc", demo.text("issuer"));
    let oauth = program();
    let oauth = oauth.display();
    let commands = format!(
        "{oauth} {token}; {oauth} {token}; {oauth} tokens rotate-key; {oauth} {token}; ls -A \"$HOME/.local/share/oauth\""
    );
    let outcome = in_a_session(&world, &commands).succeeded();
    // The bus may say something of its own.
    let said = outcome
        .err
        .lines()
        .filter(|line| !line.starts_with("dbus-daemon"));
    assert_eq!(said.collect::<Vec<_>>(), ["sealed 1"], "no word of a file");
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!((lines[0], lines[0]), (lines[1], lines[2]), "from the store");
    assert!(lines[0].len() > 20 && !lines[3..].iter().any(|file| file.ends_with(".key")));

    // A later session of the same user has it; where there is no keyring, nothing is made in its
    // place.
    let again = in_a_session(&world, &format!("{oauth} {token}")).succeeded();
    assert_eq!(again.out.trim(), lines[0]);
    let secret = [("OAUTH_CLIENT_SECRET", "svc-secret")];
    let locked = world.run_with(&token, &secret).failed(14);
    assert!(locked.err.contains("unlock the keyring"), "{}", locked.err);
}

fn in_a_session(world: &World, commands: &str) -> Outcome {
    let home = world.home.path();
    let runtime = home.join("run");
    std::fs::create_dir_all(&runtime).unwrap();
    std::fs::set_permissions(&runtime, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-euc", SESSION, commands])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", runtime)
        .env("OAUTH_CLIENT_SECRET", "svc-secret");
    Outcome::of(&mut command)
}
