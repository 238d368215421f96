//! Token sets on their way to and from a store: the only serialization of a secret, and it says so.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{AccessToken, RefreshToken, TokenSet, TokenType};
use crate::{
    Error, Scopes,
    members::{Unknown, object},
};

/// The version of a text that names none; a reader refuses what it does not know.
const VERSION: u32 = 1;

/// Borrows what it writes: no second copy of a secret is made on the way. What most token sets have in
/// common is left out: it would be kept, sent and read again for each of them.
#[derive(Serialize)]
pub(crate) struct StoredTokenRef<'a> {
    access_token: &'a str,
    /// Nothing for [`TokenType::Bearer`].
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    /// Seconds since the Unix epoch.
    issued_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'a Map<String, Value>,
    #[serde(flatten)]
    unknown: &'a Unknown,
}

object! {
    pub(crate) struct StoredToken {
        version: u32 = VERSION,
        access_token: String,
        token_type: Option<String> = None,
        issued_at: u64,
        expires_at: Option<u64> = None,
        scopes: Vec<String> = Vec::new(),
        refresh_token: Option<String> = None,
        extra: Map<String, Value> = Map::new(),
    }
}

impl TokenSet {
    /// The whole set as JSON, secrets in clear, for a store that keeps it safe. Members this
    /// crate does not know are in it. Times are whole seconds.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use oauth_core::{AccessToken, TokenSet};
    ///
    /// let token = TokenSet::new(AccessToken::new("secret")?, SystemTime::UNIX_EPOCH);
    /// let kept = token.to_json();
    /// assert_eq!(TokenSet::from_json(&kept)?, token);
    /// # Ok::<(), oauth_core::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> SecretString {
        crate::wiped::json(&StoredTokenRef::of(self))
    }

    /// The set that [`TokenSet::to_json`] wrote.
    ///
    /// # Errors
    /// A usage error when the text is something else, or of a later version.
    pub fn from_json(text: &SecretString) -> Result<Self, Error> {
        let token: StoredToken = serde_json::from_str(text.expose_secret())
            .map_err(|_| Error::usage("this is not a token set that was stored by this library"))?;
        token.read().map_err(|flaw| match flaw {
            Flaw::Later => Error::usage(
                "this token set was stored by a later version of this library; use that version",
            ),
            Flaw::Unfit(error) => error,
        })
    }
}

impl<'a> StoredTokenRef<'a> {
    pub(crate) fn of(token: &'a TokenSet) -> Self {
        Self {
            access_token: token.access_token.expose_secret(),
            token_type: match token.token_type {
                TokenType::Bearer => None,
                other => Some(other.scheme()),
            },
            issued_at: seconds(token.issued_at),
            expires_at: token.expires_at.map(seconds),
            scopes: token.scopes.iter().collect(),
            refresh_token: token
                .refresh_token
                .as_ref()
                .map(RefreshToken::expose_secret),
            extra: &token.extra,
            unknown: &token.unknown,
        }
    }
}

/// Why a stored token set cannot be used.
pub(crate) enum Flaw {
    /// A later version wrote it, or knows what its token is for.
    Later,
    /// No request could carry what it says.
    Unfit(Error),
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::Unfit(error)
    }
}

impl StoredToken {
    pub(crate) fn read(self) -> Result<TokenSet, Flaw> {
        if self.version != VERSION {
            return Err(Flaw::Later);
        }
        let token_type = match self.token_type {
            None => TokenType::Bearer,
            Some(name) => TokenType::from_name(&name).ok_or(Flaw::Later)?,
        };
        Ok(TokenSet {
            access_token: AccessToken::new(self.access_token)?,
            token_type,
            issued_at: moment(self.issued_at)?,
            expires_at: self.expires_at.map(moment).transpose()?,
            scopes: Scopes::new(self.scopes)?,
            refresh_token: self.refresh_token.map(RefreshToken::new).transpose()?,
            extra: self.extra,
            unknown: self.unknown,
        })
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn moment(seconds: u64) -> Result<SystemTime, Error> {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .ok_or_else(|| Error::usage("this token set has a time that no clock can show"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TokenSet, Error> {
        TokenSet::from_json(&text.to_owned().into())
    }

    #[test]
    fn every_type_of_token_comes_back() {
        for token_type in [TokenType::Bearer, TokenType::Dpop, TokenType::NotApplicable] {
            let token = TokenSet::new(AccessToken::new("a").unwrap(), SystemTime::UNIX_EPOCH)
                .with_token_type(token_type);
            assert_eq!(TokenSet::from_json(&token.to_json()).unwrap(), token);
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_told_apart_from_what_is_no_token_set() {
        for text in [
            r#"{"version":2,"access_token":"s3cret","issued_at":0}"#,
            r#"{"access_token":"s3cret","token_type":"later","issued_at":0}"#,
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("later version"), "{error}");
            assert!(!error.contains("s3cret"));
        }
        // What a server answers is none: it does not say when it was issued.
        let answer = r#"{"access_token":"s3cret","token_type":"Bearer","expires_in":60}"#;
        let error = read(answer).unwrap_err().to_string();
        assert!(error.contains("not a token set"), "{error}");
        assert!(!error.contains("s3cret"));
    }
}
