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

/// What the text starts with; a reader refuses what it does not know.
const VERSION: u32 = 1;

/// Borrows what it writes: no second copy of a secret is made on the way.
#[derive(Serialize)]
pub(crate) struct StoredTokenRef<'a> {
    version: u32,
    access_token: &'a str,
    token_type: &'a str,
    /// Seconds since the Unix epoch.
    issued_at: u64,
    expires_at: Option<u64>,
    scopes: Vec<&'a str>,
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'a Map<String, Value>,
    #[serde(flatten)]
    unknown: &'a Unknown,
}

object! {
    pub(crate) struct StoredToken {
        version: u32,
        access_token: String,
        token_type: String,
        issued_at: u64,
        expires_at: Option<u64> = None,
        scopes: Vec<String>,
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
        serde_json::from_str::<StoredToken>(text.expose_secret())
            .map_err(|_| Error::usage("this is not a token set that was stored by this library"))?
            .read()
    }
}

impl<'a> StoredTokenRef<'a> {
    pub(crate) fn of(token: &'a TokenSet) -> Self {
        Self {
            version: VERSION,
            access_token: token.access_token.expose_secret(),
            token_type: token.token_type.scheme(),
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

impl StoredToken {
    pub(crate) fn read(self) -> Result<TokenSet, Error> {
        if self.version != VERSION {
            return Err(Error::usage(
                "this token set was stored by a later version of this library",
            ));
        }
        let token_type = TokenType::from_name(&self.token_type).ok_or_else(|| {
            Error::usage("this token set has a token type that this version does not know")
        })?;
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
