//! Named checks outside the catalogue, a line for each: of a real service, of a peer.

use std::time::{Duration, SystemTime};

use oauth_conformance::{Secrets, WatchedTransport};
use oauth_core::{ReqwestTransport, Token};

use super::said;

/// What was checked, and how it went.
#[derive(Default)]
pub(super) struct Checks {
    results: Vec<(String, Result<(), String>)>,
    secrets: Secrets,
}

impl Checks {
    pub(super) fn add(&mut self, what: impl Into<String>, result: Result<bool, String>) {
        let result = match result {
            Ok(true) => Ok(()),
            Ok(false) => Err("the answer is another".to_owned()),
            Err(why) => Err(why),
        };
        self.results.push((what.into(), result));
    }

    /// Adds a token that came, which must have something to say for itself.
    pub(super) fn token(&mut self, what: &'static str, got: &Result<impl Token, String>) {
        let good = match got {
            Ok(token) => {
                let access = token.access_token().expose_secret();
                let soon = SystemTime::now() + Duration::from_secs(60);
                Ok(!access.is_empty() && token.expires_at().is_none_or(|end| end > soon))
            }
            Err(error) => Err(error.clone()),
        };
        self.add(what, good);
    }

    /// What must never be said: what is known from the start, and what passes the
    /// [transport](Self::transport).
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What sends the requests of whoever is checked; it remembers the secrets that pass.
    pub(super) fn transport(&self) -> Result<WatchedTransport, String> {
        let inner = ReqwestTransport::new().map_err(|error| error.to_string())?;
        Ok(WatchedTransport::new(inner, self.secrets.clone()))
    }

    /// An error that ends everything, as it may be said.
    pub(super) fn error(&self, why: String) -> String {
        said::check(&self.secrets, "the error", &why).map_or_else(|kept_back| kept_back, |()| why)
    }

    /// All that is to be said, and whether everything passed.
    ///
    /// # Errors
    /// When a secret is in it: the text is then not to be shown.
    pub(super) fn said(&self) -> Result<(String, bool), String> {
        let mut text = String::new();
        for (what, result) in &self.results {
            text += &match result {
                Ok(()) => format!("passed {what}\n"),
                Err(why) => format!("FAILED {what}: {why}\n"),
            };
        }
        let passed = self
            .results
            .iter()
            .filter(|(_, result)| result.is_ok())
            .count();
        let failed = self.results.len() - passed;
        text += &format!("{passed} passed, {failed} failed, 0 skipped\n");
        said::check_panics(&self.secrets)?;
        said::check_log(&self.secrets)?;
        said::check(&self.secrets, "what was checked", &text)?;
        Ok((text, failed == 0))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.results.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_with_a_secret_in_it() {
        let mut checks = Checks::default();
        checks.secrets().add("a-secret-of-the-check");
        let error = checks.error("the program said a-secret-of-the-check".to_owned());
        assert!(
            error.contains("kept back") && !error.contains("a-secret"),
            "{error}"
        );
        assert_eq!(checks.error("no more".to_owned()), "no more");
        checks.add("one", Err("got a-secret-of-the-check".to_owned()));
        let error = checks.said().unwrap_err();
        assert!(!error.contains("a-secret"), "{error}");
    }
}
