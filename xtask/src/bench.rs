//! `cargo xtask bench`: measures this project beside its peers, and writes `docs/performance.md`.
//!
//! The measuring is done by `tests/peers`, a workspace of its own, and for the stores by the
//! benchmark of `oauth-store`; what is here builds and runs them, times what is built and `oauth`
//! itself, and compares the figures with what they have to reach.

mod build;
mod machine;
mod reach;
mod report;
mod start;
mod why;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::prerequisites;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Fewer and shorter rounds; writes nothing
    #[arg(long)]
    quick: bool,
    /// Only this measurement; writes nothing
    #[arg(long, value_name = "NAME", value_parser = NAMES)]
    only: Option<String>,
    /// Fails when a figure is not reached
    #[arg(long)]
    check: bool,
}

const NAMES: [&str; 17] = [
    "cached",
    "crowd",
    "allocations",
    "keyed",
    "stampede",
    "cold-keys",
    "memory",
    "requests",
    "exchange",
    "token-endpoint",
    "introspection",
    "purge",
    "server-memory",
    "secrets",
    "stores",
    "start",
    "build",
];

/// What loads servers with wrk.
const LOADED: [&str; 3] = ["token-endpoint", "introspection", "purge"];

/// What `tests/peers` has no part in.
const WITHOUT_PEERS: [&str; 3] = ["stores", "start", "build"];

/// One figure of one contestant.
struct Figure {
    /// The measurement that it comes from.
    name: &'static str,
    what: String,
    who: String,
    value: f64,
    low: f64,
    high: f64,
    unit: String,
    rounds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let wanted: Vec<_> = NAMES
        .into_iter()
        .filter(|name| match &arguments.only {
            Some(only) => only == name,
            // Two clean builds take longer than all the rest.
            None => !(arguments.quick && *name == "build"),
        })
        .collect();
    if wanted.iter().any(|name| LOADED.contains(name)) {
        prerequisites::check_for_load()?;
    }
    let root = root()?;
    if !wanted.iter().all(|name| WITHOUT_PEERS.contains(name)) {
        build_peers(&root)?;
    }
    let mut figures = Vec::new();
    for name in wanted {
        figures.extend(match name {
            "build" => build::measure(&root)?,
            "start" => start::measure(&root, arguments.quick)?,
            _ => measure(&root, name, arguments.quick)?,
        });
    }

    let whole = !arguments.quick && arguments.only.is_none();
    let verdicts = reach::judge(&figures, whole);
    println!("{}", report::verdicts(&verdicts));
    if !whole {
        println!("docs/performance.md is written by a whole run only");
    } else {
        let path = root.join("docs/performance.md");
        std::fs::write(&path, report::page(&figures, &verdicts))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        println!("docs/performance.md is written");
    }
    let missed = verdicts.iter().filter(|verdict| !verdict.reached()).count();
    if arguments.check && missed > 0 {
        return Err(format!("{missed} figures are not reached"));
    }
    Ok(())
}

/// The folder of the workspace.
fn root() -> Result<PathBuf, String> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| "xtask lies in no workspace".to_owned())
}

fn target(root: &Path) -> PathBuf {
    root.join("target/peers")
}

fn build_peers(root: &Path) -> Result<(), String> {
    let status = cargo()
        .args(["build", "--release", "--manifest-path"])
        .arg(root.join("tests/peers/Cargo.toml"))
        .arg("--target-dir")
        .arg(target(root))
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("tests/peers cannot be built".to_owned()),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}

/// Each measurement in a process of its own, so that none inherits another's memory.
fn measure(root: &Path, name: &'static str, quick: bool) -> Result<Vec<Figure>, String> {
    let mut command = match name {
        "allocations" => Command::new(target(root).join("release/allocations")),
        "stores" => stores(root, quick),
        _ => {
            let mut command = Command::new(target(root).join("release/peers"));
            command.args(["--only", name]);
            command.args(quick.then_some("--quick"));
            command
        }
    };
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut figures = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            figures.push(figure(name, &line.map_err(failed)?)?);
        }
    }
    if child.wait().map_err(failed)?.success() {
        Ok(figures)
    } else {
        Err(format!("{name} failed"))
    }
}

/// The benchmark of the stores: it starts their servers, and needs them installed.
fn stores(root: &Path, quick: bool) -> Command {
    let mut command = cargo();
    command.args(["bench", "--quiet", "--package", "oauth-store"]);
    command.args(["--all-features", "--bench", "stores", "--"]);
    command.args(match quick {
        true => ["--quick", "--rows", "300000"].as_slice(),
        false => &["--rows", "1000000"],
    });
    command.current_dir(root);
    command
}

fn figure(name: &'static str, line: &str) -> Result<Figure, String> {
    let row: Value = serde_json::from_str(line).map_err(|error| format!("{name}: {error}"))?;
    let text = |member: &str| row[member].as_str().map(str::to_owned);
    let number = |member: &str| row[member].as_f64();
    let read = || {
        Some(Figure {
            name,
            what: text("what")?,
            who: text("who")?,
            value: number("value")?,
            low: number("low")?,
            high: number("high")?,
            unit: text("unit")?,
            rounds: row["rounds"].as_u64()?,
        })
    };
    read().ok_or_else(|| format!("{name}: a figure lacks a member: {line}"))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
