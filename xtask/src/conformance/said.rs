//! Whatever the run says is searched for the run's secrets before anybody reads it.

use std::{
    panic,
    sync::{Mutex, PoisonError},
};

use oauth_conformance::Secrets;

/// What panics said. Kept, not printed: it can hold anything.
static PANICS: Mutex<String> = Mutex::new(String::new());

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
