//! Moov's own SDK for Python against the Moov emulator.

use std::process::Command;

use oauth_emulators::Emulator;
use test_servers::foreign;

use super::Checks;

/// The emulator's own key pair.
const KEYS: [&str; 2] = ["demo", "demo-secret"];

pub(super) async fn checks() -> Result<Checks, String> {
    let folder = foreign::python("moov-sdk")?;
    let emulator = Emulator::moov().start().await;
    let emulator = emulator.map_err(|error| error.to_string())?;
    let mut python = Command::new(folder.join("venv/bin/python"));
    python.arg(folder.join("moov_sdk.py"));
    python.arg(emulator.base_url()).args(KEYS);
    let output = tokio::task::block_in_place(|| foreign::run(&mut python, "python3-venv"))?;
    let mut checks = Checks::default();
    checks.secret(KEYS[1]);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (how, what) = line.split_once(' ').unwrap_or_default();
        match (how, what.split_once(": ")) {
            ("passed", None) => checks.add(what, Ok(true)),
            ("failed", Some((what, why))) => checks.add(what, Err(why.to_owned())),
            _ => return Err("the SDK's script says something else than its checks".to_owned()),
        }
    }
    Ok(checks)
}
