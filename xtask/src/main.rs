//! The commands of this workspace.
//!
//! `cargo xtask conformance` proves every provider against its emulator; `cargo xtask test` passes
//! everything else; `cargo xtask bench` measures. For tests and benchmarks this program only calls
//! cargo, so that building it needs nothing that the conformance run doesn't.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks to the terminal"
)]

mod bench;
mod conformance;
mod dependencies;
mod hostile;
mod prerequisites;
mod targets;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The commands of this workspace",
    version
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures this project beside its peers; writes docs/performance.md
    Bench(bench::Arguments),
    /// Runs the catalogue on every provider, over real sockets
    Conformance(conformance::Arguments),
    /// Writes the manual pages of `oauth`
    Man {
        /// Where to
        #[arg(default_value = "target/man")]
        folder: std::path::PathBuf,
    },
    /// Passes every check: format, lints, tests, documentation, examples, dependencies
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Conformance(conformance::Arguments {
            live: Some(live), ..
        }) => {
            return conformance::live::run(live);
        }
        Command::Conformance(conformance::Arguments {
            peer: Some(peer),
            seed,
            ..
        }) => conformance::peer::run(peer, seed),
        Command::Conformance(arguments) => match hostile::run_again() {
            Some(code) => return code,
            None => conformance::run(&arguments),
        },
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Man { folder } => test::man(&folder),
        Command::Test(arguments) => test::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
