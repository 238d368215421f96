//! What an id token says, after it was verified.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

use crate::{Error, UserInfo};

/// The claims of an id token that was verified (OpenID Connect Core §2, §5.1). They are personal
/// data: `Debug` shows none.
#[derive(Clone, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
}

/// What the verification rests on: userinfo may not say it.
const OF_THE_TOKEN: [&str; 12] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "exp",
    "iat",
    "iss",
    "nonce",
    "sid",
];

impl Claims {
    /// Claims whose `iss` and `sub` are texts.
    pub(super) fn new(members: Map<String, Value>) -> Self {
        Self { members }
    }

    /// Claims that were verified before they were stored.
    pub(crate) fn kept(members: Map<String, Value>) -> Self {
        Self::new(members)
    }

    /// Who issued the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.text("iss").unwrap_or_default()
    }

    /// The subject: the user, for this issuer. It never changes, unlike an e-mail address.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// Whom the token is for; this client is among them.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let aud = self.members.get("aud");
        let several = aud.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let one = aud.filter(|aud| aud.is_string());
        one.into_iter().chain(several).filter_map(Value::as_str)
    }

    /// When the token ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// When the token was made.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    /// When the user authenticated, if the token says so.
    #[must_use]
    pub fn auth_time(&self) -> Option<SystemTime> {
        self.time("auth_time")
    }

    /// A claim, as it came: `email`, `name`, `groups`, …
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// Every claim, as it came.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Adds what the userinfo endpoint says of the same user (OpenID Connect Core §5.3.2). What the
    /// id token says stays: it is signed.
    ///
    /// # Errors
    /// A protocol error when it is another user.
    pub fn with_userinfo(mut self, userinfo: &UserInfo) -> Result<Self, Error> {
        if userinfo.subject() != self.subject() {
            return Err(Error::protocol(
                "the userinfo is of another user than the id token (OpenID Connect Core section 5.3.2)",
            ));
        }
        for (name, value) in userinfo.claims() {
            if !OF_THE_TOKEN.contains(&name.as_str()) {
                self.members
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
        }
        Ok(self)
    }

    /// A moment in seconds since the Unix epoch (RFC 7519 §2, NumericDate).
    pub(super) fn time(&self, name: &str) -> Option<SystemTime> {
        let seconds = self.members.get(name)?.as_f64()?;
        let since = Duration::try_from_secs_f64(seconds).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({} claims)", self.members.len())
    }
}
