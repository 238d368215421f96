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
