//! The program `oauth`; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    oauth_cli::main(std::env::args_os())
}
