//! The environment of the conformance run.
//!
//! That no variable weakens anything can only be seen where such variables are set, and a process
//! cannot change its own environment while threads may read it. So the program starts itself once
//! more, with the suite's hostile list on top of its own environment, and that one does the work.

use std::{env, process::Command, process::ExitCode};

use oauth_conformance::environment::{HOSTILE, MARKER};

/// Runs this program with its arguments in a hostile environment, and has its exit code; `None`
/// when it runs in one already.
pub(crate) fn run_again() -> Option<ExitCode> {
    if env::var_os(MARKER).is_some() {
        return None;
    }
    let status = env::current_exe().and_then(|program| {
        Command::new(program)
            .args(env::args_os().skip(1))
            .envs(HOSTILE)
            .status()
    });
    Some(match status {
        // A code that is none of a program's, or none at all, as after a signal, is a failure.
        Ok(status) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("error: the run cannot be started: {error}");
            ExitCode::FAILURE
        }
    })
}
