//! Whatever the run says is searched for the run's secrets before anybody reads it.

use std::{
    collections::BTreeSet,
    io, panic,
    sync::{Mutex, OnceLock, PoisonError},
};

use oauth_conformance::Secrets;
use tracing_subscriber::fmt::MakeWriter;

/// What panics said. Kept, not printed: it can hold anything.
static PANICS: Mutex<String> = Mutex::new(String::new());

/// What was logged at any level, by this project and by what it is made of. A line that was there
/// before is not kept again.
static LOG: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on everything that is logged, down to TRACE, is kept to be searched, and printed nowhere.
///
/// # Errors
/// When somebody else listens to the log already.
pub(super) fn keep_log() -> Result<(), String> {
    static KEPT: OnceLock<Result<(), String>> = OnceLock::new();

    let keep = || {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(Log)
            .try_init()
            .map_err(|error| format!("the log cannot be kept: {error}"))
    };
    KEPT.get_or_init(keep).clone()
}

/// Whose lines go to [`LOG`]; each line is written at once.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.insert(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

/// As [`check`], for what was logged. Gives how many lines were searched.
///
/// # Errors
/// When a line has a secret in it; it says from which part of the program the line is.
pub(super) fn check_log(secrets: &Secrets) -> Result<usize, String> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let text: String = log.iter().map(String::as_str).collect();
    check(secrets, "the log", &text).map_err(|why| {
        let mut line = secrets.find(&text).first().map_or(0, |leak| leak.line);
        let entry = log.iter().find(|entry| {
            let lines = entry.matches('\n').count();
            let here = line <= lines;
            line = line.saturating_sub(lines);
            here
        });
        match entry {
            Some(entry) => format!("{why} ({})", whence(secrets, entry)),
            None => why,
        }
    })?;
    Ok(log.len())
}

/// Where a line of the log comes from: level and target, which stand before the message. With them
/// can stand what a span knows, which is not said if it is a secret.
fn whence(secrets: &Secrets, entry: &str) -> String {
    let words = |count| {
        let words: Vec<_> = entry.split_whitespace().take(count).collect();
        words.join(" ")
    };
    let both = words(2);
    match secrets.find(&both).is_empty() {
        true => both,
        false => words(1),
    }
}

/// From now on a panic prints where it was, and what it said is searched with the rest.
pub(super) fn keep_panics() {
    panic::set_hook(Box::new(|panic| {
        let mut kept = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_str(&format!("{panic}\n"));
        match panic.location() {
            Some(place) => eprintln!("a panic at {}:{}", place.file(), place.line()),
            None => eprintln!("a panic"),
        }
    }));
}

/// Fails if `what` was said with a secret in it: the text itself is then not to be shown.
pub(super) fn check(secrets: &Secrets, what: &str, text: &str) -> Result<(), String> {
    match secrets.find(text).as_slice() {
        [] => Ok(()),
        leaks => Err(format!(
            "{what} is kept back: {}{}",
            leaks[0],
            match leaks.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            }
        )),
    }
}

/// As [`check`], for what panics said.
pub(super) fn check_panics(secrets: &Secrets) -> Result<(), String> {
    let kept = PANICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    check(secrets, "what a panic said", &kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_searched() {
        keep_panics();
        let panicked = panic::catch_unwind(|| panic!("it was planted-in-a-panic"));
        assert!(panicked.is_err());
        let secrets = Secrets::default();
        assert!(check_panics(&secrets).is_ok());
        secrets.add("planted-in-a-panic");
        let error = check_panics(&secrets).unwrap_err();
        assert!(
            error.contains("what a panic said") && !error.contains("planted"),
            "{error}"
        );
    }

    #[test]
    fn what_is_logged_at_any_level_is_searched() {
        keep_log().unwrap();
        tracing::trace!(token = "planted-in-the-log", "at the lowest level");
        let secrets = Secrets::default();
        assert!(check_log(&secrets).unwrap() > 0);
        secrets.add("planted-in-the-log");
        let error = check_log(&secrets).unwrap_err();
        assert!(
            error.contains("the log") && error.contains("TRACE") && !error.contains("planted"),
            "{error}"
        );
        let secrets = Secrets::default();
        secrets.add("secret-of-many-lines");
        tracing::info!("first\nsecret-of-many-lines at the start of a line");
        let error = check_log(&secrets).unwrap_err();
        assert!(
            error.contains("INFO") && error.contains("said") && !error.contains("many-lines"),
            "{error}"
        );
        let secrets = Secrets::default();
        secrets.add("secret-of-a-span");
        tracing::info_span!("login", token = "secret-of-a-span").in_scope(|| tracing::warn!("x"));
        let error = check_log(&secrets).unwrap_err();
        assert!(
            error.contains("(WARN)") && !error.contains("of-a-span"),
            "{error}"
        );
    }

    #[test]
    fn a_planted_secret_is_kept_back_and_not_repeated() {
        let secrets = Secrets::default();
        secrets.add("planted-secret-1");
        let hex = "706c616e7465642d7365637265742d31";
        for text in [
            "x planted-secret-1 y planted-secret-1",
            hex,
            "cGxhbnRlZC1zZWNyZXQtMQ==",
        ] {
            let error = check(&secrets, "the matrix", text).unwrap_err();
            assert!(
                error.contains("the matrix") && !error.contains("planted"),
                "{error}"
            );
        }
        assert!(check(&secrets, "the matrix", "planted-secret-2").is_ok());
    }
}
