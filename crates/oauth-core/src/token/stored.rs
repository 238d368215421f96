//! Token sets on their way to and from a store: the only serialization of a secret, and it says so.

use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AccessToken, RefreshToken, TokenSet, TokenType};
use crate::{Error, Scopes};

/// What the text starts with; a reader refuses what it does not know.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    access_token: String,
    token_type: String,
    /// Seconds since the Unix epoch.
    issued_at: u64,
    expires_at: Option<u64>,
    scopes: Vec<String>,
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    extra: Map<String, Value>,
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
        let stored = Stored {
            version: VERSION,
            access_token: self.access_token.expose_secret().to_owned(),
            token_type: self.token_type.scheme().to_owned(),
            issued_at: seconds(self.issued_at),
            expires_at: self.expires_at.map(seconds),
            scopes: self.scopes.iter().map(str::to_owned).collect(),
            refresh_token: self
                .refresh_token
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            extra: self.extra.clone(),
        };
        // Only texts, numbers and JSON values: there is nothing that could fail to serialize.
        serde_json::to_string(&stored).unwrap_or_default().into()
    }

    /// The set that [`TokenSet::to_json`] wrote.
    ///
    /// # Errors
    /// A usage error when the text is something else, or of a later version.
    pub fn from_json(text: &SecretString) -> Result<Self, Error> {
        use secrecy::ExposeSecret;

        let stored: Stored = serde_json::from_str(text.expose_secret())
            .map_err(|_| Error::usage("this is not a token set that was stored by this library"))?;
        if stored.version != VERSION {
            return Err(Error::usage(
                "this token set was stored by a later version of this library",
            ));
        }
        if !stored
            .token_type
            .eq_ignore_ascii_case(TokenType::Bearer.scheme())
        {
            return Err(Error::usage(
                "this token set has a token type that this version does not know",
            ));
        }
        Ok(Self {
            access_token: AccessToken::new(stored.access_token)?,
            token_type: TokenType::Bearer,
            issued_at: moment(stored.issued_at)?,
            expires_at: stored.expires_at.map(moment).transpose()?,
            scopes: Scopes::new(stored.scopes)?,
            refresh_token: stored.refresh_token.map(RefreshToken::new).transpose()?,
            extra: stored.extra,
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
