//! Moov's own SDK for Python against the Moov emulator.

use std::process::Command;

use oauth_conformance::{FaultProxy, Seed};
use oauth_emulators::Emulator;
use test_servers::foreign;

use super::Checks;

/// The emulator's own key pair.
const KEYS: [&str; 2] = ["demo", "demo-secret"];

pub(super) async fn check(checks: &mut Checks, seed: Seed) -> Result<(), String> {
    checks.secrets().add(KEYS[1]);
    let folder = foreign::python("moov-sdk")?;
    let emulator = Emulator::moov().start().await;
    let emulator = emulator.map_err(|error| error.to_string())?;
    // Between the two, where tokens pass: one that breaks nothing.
    let between = FaultProxy::start(emulator.base_url(), [], seed).await;
    let between = between.map_err(|error| error.to_string())?;
    let between = between.watched(checks.secrets());
    let known = checks.secrets().len();
    let mut python = Command::new(folder.join("venv/bin/python"));
    python.arg(folder.join("moov_sdk.py"));
    python.arg(between.base_url()).args(KEYS);
    let output = tokio::task::block_in_place(|| foreign::run(&mut python, "python3-venv"))?;
    if checks.secrets().len() == known {
        return Err("the SDK got no token".to_owned());
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (how, what) = line.split_once(' ').unwrap_or_default();
        match (how, what.split_once(": ")) {
            ("passed", None) => checks.add(what, Ok(true)),
            ("failed", Some((what, why))) => checks.add(what, Err(why.to_owned())),
            _ => return Err("the SDK's script says something else than its checks".to_owned()),
        }
    }
    Ok(())
}
