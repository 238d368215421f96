//! Writes a manual page for each command: `cargo run -p oauth-cli --example man -- FOLDER`,
//! `target/man` without one.

use std::{env, fs, path::PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "target/man".into()));
    fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(oauth_cli::command(), folder)
}
