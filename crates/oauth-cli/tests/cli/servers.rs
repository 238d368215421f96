//! `oauth serve` and `oauth emulate`.

use crate::{
    processes::ended,
    program::{Running, World, signalled},
};

#[test]
fn a_server_says_where_it_is_and_stops_cleanly() {
    for signal in ["-TERM", "-INT"] {
        for arguments in [
            "serve --demo --listen 127.0.0.1:0",
            "emulate twitch --listen 127.0.0.1:0",
        ] {
            let server = Running::start(arguments);
            assert!(
                server.info["endpoints"]["token"]
                    .as_str()
                    .unwrap()
                    .starts_with("http://127.0.0.1:")
            );
            assert_eq!(server.stopped_by(signal), 0, "{arguments} {signal}");
        }
    }
}

#[test]
fn every_provider_can_be_emulated() {
    for name in ["twitch", "moov", "ministry-platform", "rfc"] {
        let server = Running::start(&format!("emulate {name}"));
        assert_eq!(server.text("provider"), name);
        for member in [
            "base_url",
            "control_url",
            "client_id",
            "client_secret",
            "username",
            "password",
        ] {
            assert!(!server.text(member).is_empty(), "{name} {member}");
        }
    }
}

#[test]
fn demo_credentials_stay_on_loopback() {
    let world = World::new();
    let refused = world
        .run("serve --demo --listen 0.0.0.0:0 --output json")
        .failed(2);
    assert_eq!(refused.error()["kind"], "usage");
    world.run("emulate twitch --listen 0.0.0.0:0").failed(2);
    world.run("serve").failed(2);
    world.run("emulate nobody").failed(2);
}

#[test]
fn the_demo_warns() {
    let world = World::new();
    let mut child = world
        .command("serve --demo --listen 127.0.0.1:0")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let errors = child.stderr.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(errors), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("warning: demo credentials"), "{line}");
}

#[test]
fn a_server_that_waits_for_a_secret_can_be_stopped() {
    let world = World::new();
    let pipe = world.home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let file = world.file(
        "server.toml",
        "[[users]]\nusername = \"ada\"\nsubject = \"a\"\npassword-file = \"pipe\"\n",
    );
    let mut command = world.command(&format!("serve {} --listen 127.0.0.1:0", file.display()));
    let child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    // Opens once the program reads.
    let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    signalled(&child, "-TERM");
    let status = ended(child).wait().unwrap();
    // SIGTERM, and not the SIGKILL of a test that has waited in vain.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(15), "{status:?}");
    drop(writer);
}

#[test]
fn a_server_comes_from_a_file() {
    let world = World::new();
    world.file("secret", "a long and secret phrase\n");
    world.file("password", "her pass phrase");
    let file = world.file(
        "server.toml",
        r#"
        listen = "127.0.0.1:0"
        grants = ["client_credentials", "password", "refresh_token"]
        access-token-lifetime = "10m"

        [[clients]]
        id = "reports"
        secret-file = "secret"
        grants = ["client_credentials", "password"]
        scopes = ["read"]
        default-scopes = ["read"]

        [[users]]
        username = "ada"
        subject = "person-1"
        password-file = "password"
        "#,
    );
    let server = Running::start(&format!("serve {}", file.display()));
    let secret = [
        ("OAUTH_CLIENT_SECRET", "a long and secret phrase"),
        ("OAUTH_PASSWORD", "her pass phrase"),
    ];
    let token = format!(
        "token --issuer {} --client-id reports --output json",
        server.text("issuer")
    );
    let own = world.run_with(&token, &secret).succeeded().json();
    assert!(own["expires_in"].as_u64().unwrap() <= 600, "{own}");
    let hers = world.run_with(&format!("{token} --subject ada --username ada"), &secret);
    assert_eq!(hers.succeeded().json()["subject"], "ada");

    let wrong = world.file(
        "wrong.toml",
        "[[clients]]\nid = \"a\"\nsecret = \"PLANTED\"\n",
    );
    let refused = world.run(&format!("serve {}", wrong.display())).failed(2);
    assert!(!refused.err.contains("PLANTED"), "{}", refused.err);
}
