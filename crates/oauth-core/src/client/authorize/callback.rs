//! The parameters of an authorization response (RFC 6749 §4.1.2), each once.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::pending::refusal;
use crate::{Error, OAuthError};

pub(super) struct Callback(BTreeMap<String, String>);

impl Callback {
    /// The parameters of a callback's URL, or of its query alone.
    pub(super) fn parse(callback: &str) -> Result<Self, Error> {
        let whole = callback.split('#').next().unwrap_or_default();
        let query = match whole.split_once('?') {
            Some((_, query)) => query,
            None if whole.contains("://") => "",
            None => whole,
        };
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // Which of two would count is a guess, and an attacker would know it (RFC 6749 §3.1).
            if params
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(Error::protocol("the callback has a parameter twice"));
            }
        }
        if params.contains_key("code") && params.contains_key("error") {
            return Err(Error::protocol("the callback has both a code and an error"));
        }
        Ok(Self(params))
    }

    pub(super) fn state(&self) -> Option<&str> {
        self.get("state")
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        self.get("iss")
    }

    pub(super) fn error(&self) -> Option<OAuthError> {
        self.get("error")
            .map(|code| refusal(code, self.get("error_description")))
    }

    pub(super) fn code(&self) -> Result<SecretString, Error> {
        let code = self.get("code").filter(|code| !code.is_empty());
        code.map(SecretString::from)
            .ok_or_else(|| Error::protocol("the callback has neither a code nor an error"))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
