//! `cargo xtask test`: every check, in the order in which a mistake is cheapest to find.

use std::process::Command;

use crate::dependencies;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the steps whose name contains this
    #[arg(long, value_name = "TEXT")]
    step: Option<String>,
}

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: &[Step] = &[
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("layers and crate counts", dependencies::check),
    ("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ])
    }),
    ("core without a client", || {
        cargo(&["check", "--package", "oauth-core", "--no-default-features"])
    }),
    ("core with ring", || {
        cargo(&[
            "check",
            "--package",
            "oauth-core",
            "--no-default-features",
            "--features",
            "rustls-ring,password",
        ])
    }),
    ("providers without a client", || {
        let providers = [
            "--package",
            "twitch",
            "--package",
            "moov",
            "--package",
            "ministry-platform",
        ];
        cargo(&[&["check", "--no-default-features"], &providers[..]].concat())
    }),
    ("tests", || cargo(&["test", "--workspace", "--quiet"])),
    ("documentation", documentation),
    ("examples", examples),
];

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let wanted = |name: &str| {
        arguments
            .step
            .as_deref()
            .is_none_or(|text| name.contains(text))
    };
    let steps: Vec<_> = STEPS.iter().filter(|(name, _)| wanted(name)).collect();
    if steps.is_empty() {
        return Err("no step has such a name".to_owned());
    }
    for (name, step) in &steps {
        println!("== {name}");
        step().map_err(|why| format!("{name}: {why}"))?;
    }
    println!("{} steps passed", steps.len());
    Ok(())
}

fn documentation() -> Result<(), String> {
    let mut command = command(&["doc", "--workspace", "--no-deps", "--quiet"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    execute(command)
}

/// Every example of every crate, each against its own emulator; each ends by itself.
fn examples() -> Result<(), String> {
    for (package, example) in dependencies::examples()? {
        println!("{package} {example}");
        cargo(&[
            "run",
            "--quiet",
            "--package",
            &package,
            "--example",
            &example,
        ])?;
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    execute(command(arguments))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn execute(mut command: Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed"))
    }
}
