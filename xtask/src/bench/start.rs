//! How long `oauth` takes from its start to its end: to print a token that its store has, beside what
//! any answer of it takes.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::Value;

use super::{Figure, cargo};

const WHAT: &str = "start of the command line, fastest of 20";
/// Runs of each contestant in one round. The fastest counts: what else the machine does only adds to
/// so short a time.
const RUNS: usize = 20;

pub(super) fn measure(root: &Path, quick: bool) -> Result<Vec<Figure>, String> {
    let program = build(root)?;
    let home = home(root).map_err(|error| format!("the store's folder: {error}"))?;
    let server = Server::start(&program, &home)?;
    let token = [
        "token",
        "--issuer",
        &server.issuer,
        "--client-id",
        "svc",
        "--scope",
        "read",
    ];
    let contestants: [(&str, &[&str]); 2] = [
        ("floor: oauth --version", &["--version"]),
        ("oauth-cli: oauth token, from the store", &token),
    ];
    // Fills the store.
    run(&program, &home, &token)?;
    let rounds = if quick { 5 } else { 15 };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let mut round = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            for (times, (_, arguments)) in round.iter_mut().zip(&contestants) {
                times.push(run(&program, &home, arguments)?);
            }
        }
        for (times, round) in times.iter_mut().zip(round) {
            times.push(sorted(round)[0]);
        }
    }
    let figures = contestants.iter().zip(times).map(|((who, _), times)| {
        let times = sorted(times);
        Figure {
            name: "start",
            what: WHAT.to_owned(),
            who: (*who).to_owned(),
            value: times[rounds / 2],
            low: times[0],
            high: times[rounds - 1],
            unit: "ms".to_owned(),
            rounds: rounds as u64,
        }
    });
    Ok(figures.collect())
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let target = root.join("target");
    let mut command = cargo();
    command
        .args(["build", "--release", "--quiet", "--package", "oauth-cli"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(root);
    match command.status() {
        Ok(status) if status.success() => Ok(target.join("release/oauth")),
        Ok(_) => Err("oauth cannot be built".to_owned()),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}

/// An empty one.
fn home(root: &Path) -> std::io::Result<PathBuf> {
    let home = root.join("target/bench-start");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::create_dir_all(&home)?;
    Ok(home)
}

/// In milliseconds.
fn run(program: &Path, home: &Path, arguments: &[&str]) -> Result<f64, String> {
    let mut command = command(program, home);
    command.args(arguments).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("oauth: {error}"))?;
    let time = begun.elapsed();
    match status.success() {
        true => Ok(time.as_secs_f64() * 1_000.0),
        false => Err(format!("oauth {}: {status}", arguments.join(" "))),
    }
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        // The store's key is in a file, not in the keyring of whoever measures.
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
        .env("OAUTH_CLIENT_SECRET", "svc-secret")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

/// The demo server, until it is dropped.
struct Server {
    child: Child,
    issuer: String,
}

impl Server {
    fn start(program: &Path, home: &Path) -> Result<Self, String> {
        let mut command = command(program, home);
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]);
        let child = command.stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| format!("oauth serve: {error}"))?;
        let mut server = Self {
            child,
            issuer: String::new(),
        };
        let mut line = String::new();
        if let Some(output) = server.child.stdout.take() {
            // Without a line there is no issuer, which is told below.
            BufReader::new(output).read_line(&mut line).ok();
        }
        let info: Value = serde_json::from_str(&line).unwrap_or_default();
        let issuer = info["issuer"].as_str();
        server.issuer = issuer.ok_or("oauth serve does not start")?.to_owned();
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone, then.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
