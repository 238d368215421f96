//! What the program says of itself.

use std::process::Command;

use crate::program::{Outcome, World};

/// Every command with those that it is under, `oauth` first.
fn all() -> Vec<Vec<String>> {
    fn under(command: &clap::Command, path: &[String], all: &mut Vec<Vec<String>>) {
        let mut path = path.to_vec();
        path.push(command.get_name().to_owned());
        for inner in command.get_subcommands() {
            under(inner, &path, all);
        }
        all.push(path);
    }
    let mut all = Vec::new();
    under(&oauth_cli::command(), &[], &mut all);
    assert!(all.len() > 15, "{all:?}");
    all
}

#[test]
fn help_has_an_example_for_each_command() {
    let world = World::new();
    for path in all() {
        let arguments = format!("{} --help", path[1..].join(" "));
        let secret = [("OAUTH_CLIENT_ID", "PLANTED")];
        let help = world.run_with(&arguments, &secret).succeeded().out;
        let name = path.join(" ");
        assert!(!help.contains("PLANTED"), "{name} shows a variable's value");
        if path.len() > 1 {
            let example = help.split("Example").nth(1).unwrap_or_default();
            assert!(example.contains(&name), "{name} has no example");
        }
    }
}

/// What is under each command's help, before it is broken into lines.
fn written(command: &clap::Command) -> Vec<String> {
    let own = command.get_after_help().map(ToString::to_string);
    let under = command.get_subcommands().flat_map(written);
    own.into_iter().chain(under).collect()
}

/// An example that lacks something would be refused before anything is sent.
#[test]
fn each_example_works_but_for_its_server() {
    let world = World::new();
    let nobody = "http://127.0.0.1:1";
    let mut sent = 0;
    for help in written(&oauth_cli::command()) {
        let examples = help.split("Example").nth(1).unwrap_or_default();
        for example in examples.split("oauth ").skip(1) {
            let command = example.split([')', '#', '>', '\n']).next();
            let command = command.unwrap_or_default();
            let command = command.replace("https://id.example.com", nobody);
            let arguments = ["oauth"].into_iter().chain(command.split_whitespace());
            let parsed = oauth_cli::command().try_get_matches_from(arguments);
            assert!(parsed.is_ok(), "{command:?} {:?}", parsed.err());
            let first = command.split(' ').next().unwrap_or_default();
            let local = ["tokens", "serve", "emulate", "providers", "completions"];
            if local.contains(&first) {
                continue;
            }
            let mut variables = vec![
                ("OAUTH_BASE_URL", nobody),
                ("OAUTH_CLIENT_SECRET", "s"),
                ("OAUTH_RETRIES", "0"),
                ("OAUTH_STORE", "memory:"),
            ];
            if first != "token" && first != "login" {
                variables.push(("OAUTH_TOKEN", "t"));
            }
            let outcome = world.run_with(&command, &variables);
            assert_eq!(outcome.code, 12, "{command:?} {}", outcome.err);
            sent += 1;
        }
    }
    assert!(sent >= 8, "{sent}");
}

#[test]
fn completions_know_every_command() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let completions = world.run(&format!("completions {shell}")).succeeded().out;
        for path in all() {
            let name = path.last().unwrap();
            assert!(completions.contains(name), "{shell} {name}");
        }
        assert!(completions.contains("client-secret-file"), "{shell}");
    }
    // The shell itself has no complaint.
    let bash = world.file("bash", &world.run("completions bash").out);
    let read = format!("source {}; complete -p oauth", bash.display());
    let known = Outcome::of(Command::new("bash").args(["-euc", &read])).succeeded();
    assert!(known.out.contains("oauth"), "{}", known.out);
    world.run("completions nonsense").failed(2);
}

/// `cargo xtask man FOLDER` does this.
#[test]
fn each_command_has_a_manual_page() {
    let world = World::new();
    let folder = world.home.path().join("man");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "run",
            "--quiet",
            "--package",
            "oauth-cli",
            "--example",
            "man",
            "--",
        ])
        .arg(&folder);
    Outcome::of(&mut cargo).succeeded();
    for path in all() {
        let page = folder.join(format!("{}.1", path.join("-")));
        let text = std::fs::read_to_string(&page);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH SYNOPSIS"), "{text}");
        if path.len() > 1 {
            assert!(text.contains("Example"), "{}", page.display());
        }
    }
}
