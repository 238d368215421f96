//! Named checks outside the catalogue, a line for each: of a real service, of a peer.

use std::time::{Duration, SystemTime};

use oauth_conformance::Secrets;
use oauth_core::Token;

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
                self.secret(access);
                let soon = SystemTime::now() + Duration::from_secs(60);
                Ok(!access.is_empty() && token.expires_at().is_none_or(|end| end > soon))
            }
            Err(error) => Err(error.clone()),
        };
        self.add(what, good);
    }

    /// Remembers what must never be said.
    pub(super) fn secret(&self, secret: &str) {
        self.secrets.add(secret);
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
        said::check(&self.secrets, "what was checked", &text)?;
        Ok((text, failed == 0))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.results.len()
    }

    #[cfg(test)]
    pub(super) fn secrets(&self) -> usize {
        self.secrets.len()
    }
}
