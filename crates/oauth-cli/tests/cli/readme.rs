//! The terminal session of the README, as it was recorded.

use crate::program::{Running, World};

#[test]
fn the_terminal_session() {
    let readme = include_str!("../../README.md");
    let session = readme
        .split("```console\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let server = Running::start("serve --demo --listen 127.0.0.1:0");
    let world = World::new();
    let mut secret = Vec::new();
    let mut lines = session.lines().peekable();
    let mut replayed = 0;
    while let Some(line) = lines.next() {
        let command = line
            .strip_prefix("$ ")
            .unwrap_or_else(|| panic!("not a command: {line}"));
        let mut wanted = String::new();
        while let Some(output) = lines.next_if(|line| !line.starts_with("$ ")) {
            wanted.push_str(output);
            wanted.push('\n');
        }
        if let Some((name, value)) = command
            .strip_prefix("export ")
            .and_then(|rest| rest.split_once('='))
        {
            secret.push((name, value));
            continue;
        }
        if command.starts_with("oauth serve") {
            continue;
        }
        let command = command
            .strip_prefix("oauth ")
            .unwrap_or_else(|| panic!("not ours: {command}"));
        let command = command.replace("http://127.0.0.1:4000", server.text("issuer"));
        let outcome = world.run_with(&command, &secret);
        let (command, expected) = (
            command,
            wanted.replace("http://127.0.0.1:4000", server.text("issuer")),
        );
        let both = format!("{}{}", outcome.out, outcome.err);
        assert!(
            like(&expected, &both),
            "{command}\nwanted:\n{expected}\ngot:\n{both}"
        );
        replayed += 1;
    }
    assert!(replayed >= 5, "{replayed} commands");
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
