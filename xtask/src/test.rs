//! `cargo xtask test`: every check, in the order in which a mistake is cheapest to find.

use std::process::Command;

use crate::{
    conformance::peer::{self, Peer},
    dependencies, prerequisites,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the steps whose name contains this
    #[arg(long, value_name = "TEXT")]
    step: Option<String>,
    /// Kills processes 1,000 times for each store instead of 50 times: some minutes more
    #[arg(long)]
    thorough: bool,
}

type Step = (&'static str, fn(&Arguments) -> Result<(), String>);

const STEPS: &[Step] = &[
    ("format", |_| cargo(&["fmt", "--all", "--check"])),
    ("layers and crate counts", |_| dependencies::check()),
    ("lints", |_| {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ])
    }),
    ("features", |_| features()),
    ("servers and tools", |_| prerequisites::check()),
    ("node-oidc-provider", |_| {
        peer::run(Peer::NodeOidcProvider, None)
    }),
    ("moov-sdk", |_| peer::run(Peer::MoovSdk, None)),
    ("tests", tests),
    ("model", |_| model()),
    ("documentation", |_| documentation()),
    ("examples", |_| examples()),
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
        step(arguments).map_err(|why| format!("{name}: {why}"))?;
    }
    println!("{} steps passed", steps.len());
    Ok(())
}

/// Kills of each store's processes, in a thorough run.
const KILLS: &str = "1000";

fn tests(arguments: &Arguments) -> Result<(), String> {
    let mut test = command(&["test", "--workspace", "--quiet", "--no-fail-fast"]);
    if arguments.thorough {
        println!("{KILLS} kills for each store (OAUTH_TEST_KILLS)");
        test.env("OAUTH_TEST_KILLS", KILLS);
    } else {
        println!(
            "50 kills for each store, unless OAUTH_TEST_KILLS says otherwise; 1000 with --thorough"
        );
    }
    execute(test)
}

/// The manual pages, by an example of the command line's own crate: building this program needs
/// none of what the command line is made of.
pub(crate) fn man(folder: &std::path::Path) -> Result<(), String> {
    let mut example = command(&[
        "run",
        "--quiet",
        "--package",
        "oauth-cli",
        "--example",
        "man",
        "--",
    ]);
    example.arg(folder);
    execute(example)
}

/// The flight of the token manager under a model checker, which replaces the locks it uses.
fn model() -> Result<(), String> {
    let mut test = command(&["test", "--quiet", "--package", "oauth-core", "--lib"]);
    test.args(["--no-default-features", "--target-dir", "target/model"])
        .args(["--", "model_"])
        .env("RUSTFLAGS", "--cfg shuttle");
    execute(test)
}

/// Each feature by itself, free of warnings; the core and each provider with each TLS, and without an HTTP client.
/// The operating system's TLS needs its headers, which a bare machine lacks: it is checked where
/// they are.
fn features() -> Result<(), String> {
    let native = Command::new("pkg-config")
        .args(["--exists", "openssl"])
        .status();
    let native = cfg!(not(target_os = "linux")) || native.is_ok_and(|status| status.success());
    let alone = [
        (
            "oauth-core",
            &["password", "openid", "jwt-assertion", "dpop"][..],
        ),
        (
            "oauth-store",
            &["sqlite", "postgres", "redis", "encryption"],
        ),
        (
            "oauth-server",
            &["jwt", "jwks-uri", "pages", "sqlite", "postgres"],
        ),
        ("oauth-conformance", &[]),
    ];
    for (package, features) in alone {
        check(package, None)?;
        for feature in features {
            check(package, Some(feature))?;
        }
    }
    for package in ["oauth-core", "twitch", "moov", "ministry-platform"] {
        check(package, None)?;
        for tls in ["rustls", "rustls-ring", "native-tls"] {
            if tls == "native-tls" && !native {
                println!(
                    "{package} with native-tls: not checked, OpenSSL's headers are not here (Debian: libssl-dev)"
                );
                continue;
            }
            check(package, Some(tls))?;
        }
    }
    Ok(())
}

fn check(package: &str, feature: Option<&str>) -> Result<(), String> {
    let mut check = command(&["clippy", "--quiet", "--no-default-features"]);
    check
        .args(["--package", package])
        .args(["--features", feature.unwrap_or_default()])
        .args(["--", "--deny", "warnings"]);
    execute(check)
}

fn documentation() -> Result<(), String> {
    let mut command = command(&["doc", "--workspace", "--no-deps", "--quiet"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    execute(command)
}

/// Every example of every crate, each against its own emulator; each ends by itself.
fn examples() -> Result<(), String> {
    for example in dependencies::examples()? {
        println!("{} {}", example.package, example.name);
        let mut run = command(&["run", "--quiet"]);
        run.args(["--package", &example.package])
            .args(["--example", &example.name])
            .args(["--features", &example.features]);
        execute(run)?;
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
