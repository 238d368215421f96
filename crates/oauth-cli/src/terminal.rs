//! What is for people: standard error, with colours and spinners on a terminal only.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// A line on standard output. A reader that has gone away is not our trouble.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("standard output cannot be written", &error))
        }
        _ => Ok(()),
    }
}

/// A line on standard error.
pub(crate) fn say(line: &str) {
    // There is nobody left to tell when it fails.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `text` in bold, where it can be seen.
pub(crate) fn bold(text: &str) -> String {
    styled(text, "1")
}

pub(crate) fn red(text: &str) -> String {
    styled(text, "1;31")
}

/// Turns until it is dropped; nothing off a terminal.
pub(crate) fn spinner(message: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new_spinner().with_message(message);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn styled(text: &str, code: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if plain || !io::stderr().is_terminal() {
        return text.to_owned();
    }
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
