//! What the README shows: the terminal session as it was recorded, and the server's file.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::{Outcome, Running, World, program};

const README: &str = include_str!("../../README.md");
/// Where the demo listens, unless the port is taken by something else.
const DEMO: &str = "http://127.0.0.1:4000";
/// Between the outputs of two commands.
const END: char = '\u{1}';

#[test]
fn the_terminal_session() {
    let mut commands = recorded().into_iter();
    let (serve, expected) = commands.next().unwrap();
    assert_eq!(serve, "oauth serve --demo &");
    let world = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut server = world.command("serve --demo --listen 127.0.0.1:0");
    server.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = server.spawn().unwrap();
    drop(server);
    let mut lines = BufReader::new(reader).lines();
    let said = [(); 2].map(|()| lines.next().unwrap().unwrap() + "\n");
    let info: Value = serde_json::from_str(&said[1]).unwrap();
    let issuer = info["issuer"].as_str().unwrap();
    let here = |text: &str| text.replace(DEMO, issuer);
    let all = said.concat();
    assert!(like(&here(&expected), &all), "{all}");

    let mut script = "exec 2>&1\n".to_owned();
    let mut wanted = Vec::new();
    for (command, expected) in commands {
        script.push_str(&here(&command));
        // The next command may ask for the exit code.
        script.push_str("\nended=$?; printf '\\001'; (exit $ended)\n");
        wanted.push((command, here(&expected)));
    }
    let path = format!("{}:/usr/bin:/bin", program().parent().unwrap().display());
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).env_clear().env("PATH", path);
    shell.env("HOME", world.home.path()).stdin(Stdio::null());
    shell.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let outcome = Outcome::of(&mut shell);
    child.kill().unwrap();
    child.wait().unwrap();
    let seen: Vec<_> = outcome.out.split_terminator(END).collect();
    assert_eq!(seen.len(), wanted.len(), "{}", outcome.out);
    assert!(seen.len() > 10, "{}", outcome.out);
    for ((command, expected), seen) in wanted.iter().zip(seen) {
        // An answer that ends without a line's end has one in the record.
        let seen = match seen {
            "" => String::new(),
            text => format!("{}\n", text.trim_end_matches('\n')),
        };
        assert!(
            like(expected, &seen),
            "{command}\nwanted:\n{expected}\ngot:\n{seen}"
        );
    }
}

#[test]
fn the_servers_file() {
    let section = README.split("## The server\n").nth(1).unwrap();
    let file = section.split("```toml\n").nth(1).unwrap();
    let file = file.split("```").next().unwrap();
    let world = World::new();
    let key = Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt"])
        .arg("ec_paramgen_curve:P-256")
        .output();
    let key = String::from_utf8(key.unwrap().stdout).unwrap();
    world.secret_file("signing-key.pem", &key);
    for (name, secret) in [
        ("reports-secret", "the long secret of the reports\n"),
        (
            "api-secret",
            "the long secret of the programming interface\n",
        ),
        ("ada-password", "correct horse battery staple\n"),
    ] {
        world.secret_file(name, secret);
    }
    // The listener's port is free, and so the issuer's is.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = free.local_addr().unwrap().to_string();
    drop(free);
    let file = file.replace("127.0.0.1:4000", &here);
    let file = world.file("server.toml", &file);
    let server = Running::start(&format!("serve {}", file.display()));
    assert_eq!(server.text("issuer"), format!("http://{here}"));

    let token = format!(
        "token --issuer http://{here} --client-id reports --username ada --subject ada --output json"
    );
    let secrets = [
        ("OAUTH_CLIENT_SECRET", "the long secret of the reports"),
        ("OAUTH_PASSWORD", "correct horse battery staple"),
    ];
    let hers = world.run_with(&token, &secrets).succeeded().json();
    assert_eq!(hers["scopes"], serde_json::json!(["read"]));
    let token = hers["access_token"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3, "a JWT");
    assert!((500..=600).contains(&hers["expires_in"].as_u64().unwrap()));
    let api = [
        (
            "OAUTH_CLIENT_SECRET",
            "the long secret of the programming interface",
        ),
        ("OAUTH_TOKEN", token),
    ];
    let introspect = format!("introspect --issuer http://{here} --client-id api --output json");
    let said = world.run_with(&introspect, &api).succeeded().json();
    assert_eq!(
        (&said["active"], &said["sub"]),
        (&true.into(), &"person-1".into())
    );
    let login = format!("login --issuer http://{here} --client-id app --no-browser --timeout 9s");
    let login = crate::login::started(&login, &[]);
    assert!(
        login.address.path().ends_with("authorize"),
        "{}",
        login.address
    );
}

/// The commands of the session, and what each has shown.
fn recorded() -> Vec<(String, String)> {
    let session = README.split("```console\n").nth(1).unwrap();
    let session = session.split("```").next().unwrap();
    let mut all: Vec<(String, String)> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push((command.to_owned(), String::new())),
            (None, Some((_, shown))) => {
                shown.push_str(line);
                shown.push('\n');
            }
            (None, None) => panic!("not a command: {line}"),
        }
    }
    all
}

/// Whether `text` is `pattern`, where each `…` stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}
