//! What was granted: access token, refresh token, expiry, scopes.
//!
//! Tokens are secrets: their `Debug` shows nothing, they have no `Display`, they are compared in
//! constant time and wiped when dropped. [`AccessToken::expose_secret`] is the only way to one.
//!
//! ```
//! use oauth_core::AccessToken;
//!
//! let token = AccessToken::new("2YotnFZFEjr1zCsicMWpAA")?;
//! assert_eq!(format!("{token:?}"), "AccessToken([REDACTED])");
//! # Ok::<(), oauth_core::Error>(())
//! ```

pub(crate) mod stored;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::{Error, Scopes, members::Unknown};

/// Whether all of `text` is VSCHAR (RFC 6749 appendix A). All bytes are looked at, as it is faster to
/// look at many at once than to end early.
fn is_printable(text: &str) -> bool {
    let odd = |byte: u8| !(b' '..=b'~').contains(&byte);
    !text.bytes().fold(false, |any, byte| any | odd(byte))
}

macro_rules! secret_token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// The token `text`.
            ///
            /// # Errors
            /// A usage error when the text is empty or has a character outside VSCHAR
            /// (RFC 6749 appendix A): such a token could not go into a request unchanged.
            pub fn new(text: impl Into<String>) -> Result<Self, Error> {
                let text = SecretString::from(text.into());
                if text.expose_secret().is_empty() || !is_printable(text.expose_secret()) {
                    return Err(Error::usage(concat!(
                        stringify!($name),
                        ": empty, or a character outside printable ASCII (RFC 6749 appendix A)"
                    )));
                }
                Ok(Self(text))
            }

            /// The token itself, in clear.
            #[must_use]
            pub fn expose_secret(&self) -> &str {
                self.0.expose_secret()
            }

            /// A token that was checked when it was first made.
            pub(crate) fn kept(text: &str) -> Self {
                Self(SecretString::from(text))
            }

            pub(crate) fn as_secret(&self) -> &SecretString {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([REDACTED])"))
            }
        }
    };
}

secret_token! {
    /// An access token (RFC 6749 §1.4), opaque to the client.
    AccessToken
}

secret_token! {
    /// A refresh token (RFC 6749 §1.5).
    RefreshToken
}

impl AccessToken {
    /// The value of an `Authorization` header with `scheme` before the token, marked sensitive.
    ///
    /// # Errors
    /// A usage error when `scheme` is not fit for a header.
    pub fn authorization(&self, scheme: &str) -> Result<HeaderValue, Error> {
        let text = zeroize::Zeroizing::new(format!("{scheme} {}", self.expose_secret()));
        crate::wiped::header(text)
            .map_err(|_| Error::usage("the scheme of an Authorization header has a bad character"))
    }
}

/// How an access token is used (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// RFC 6750.
    Bearer,
    /// Bound to a key that every request must prove (RFC 9449 §7.1).
    Dpop,
    /// Not a token for requests: one that was exchanged for another use (RFC 8693 §2.2.1).
    NotApplicable,
}

impl TokenType {
    /// The word in the `Authorization` header; `N_A` for [`TokenType::NotApplicable`], which never
    /// goes into one.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
            Self::NotApplicable => "N_A",
        }
    }

    /// The type of this name, in any letter case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop, Self::NotApplicable]
            .into_iter()
            .find(|token_type| name.eq_ignore_ascii_case(token_type.scheme()))
    }
}

/// What was granted. Provider crates implement it for their own typed tokens.
pub trait Token: Send + Sync {
    /// The access token.
    fn access_token(&self) -> &AccessToken;
    /// How it is used.
    fn token_type(&self) -> TokenType;
    /// The moment it ends, taken when the answer arrived; `None` when the server named none.
    fn expires_at(&self) -> Option<SystemTime>;
    /// The scopes that were granted.
    fn scopes(&self) -> &Scopes;
    /// The refresh token, if there is one.
    fn refresh_token(&self) -> Option<&RefreshToken>;
}

/// A whole answer of a token endpoint (RFC 6749 §5.1), with an absolute expiry.
#[derive(Clone, PartialEq)]
pub struct TokenSet {
    access_token: AccessToken,
    token_type: TokenType,
    issued_at: SystemTime,
    expires_at: Option<SystemTime>,
    scopes: Scopes,
    refresh_token: Option<RefreshToken>,
    extra: Map<String, Value>,
    /// What a later version of this crate has stored beside it.
    unknown: Unknown,
}

impl TokenSet {
    /// A bearer token that was issued at `issued_at`, without expiry, scopes or refresh token.
    #[must_use]
    pub fn new(access_token: AccessToken, issued_at: SystemTime) -> Self {
        Self {
            access_token,
            token_type: TokenType::Bearer,
            issued_at,
            expires_at: None,
            scopes: Scopes::empty(),
            refresh_token: None,
            extra: Map::new(),
            unknown: Unknown::default(),
        }
    }

    /// Sets how the access token is used.
    #[must_use]
    pub fn with_token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Sets the moment at which the access token ends.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: Option<SystemTime>) -> Self {
        self.expires_at = expires_at;
        self
    }

    /// Sets the granted scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: Option<RefreshToken>) -> Self {
        self.refresh_token = refresh_token;
        self
    }

    /// Sets the members that this crate does not know.
    #[must_use]
    pub fn with_extra(mut self, extra: Map<String, Value>) -> Self {
        self.extra = extra;
        self
    }

    /// The moment from which the lifetime counts: before the request was sent, so that a slow
    /// answer never lengthens it.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// Whether the access token has ended at `now`. Without an expiry it never has.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// How long the access token lives after `now`; `None` when the server named no expiry.
    #[must_use]
    pub fn expires_in(&self, now: SystemTime) -> Option<Duration> {
        self.expires_at
            .map(|end| end.duration_since(now).unwrap_or_default())
    }

    /// When the refresh token ends, where the answer said so: `refresh_token_expires_in` or
    /// `refresh_expires_in`, in seconds from when the tokens were issued. Zero means never.
    #[must_use]
    pub fn refresh_expires_at(&self) -> Option<SystemTime> {
        let lifetime = ["refresh_token_expires_in", "refresh_expires_in"]
            .iter()
            .find_map(|name| self.extra.get(*name))?;
        let lifetime = crate::response::lifetime(lifetime, "refresh_token_expires_in").ok()?;
        (!lifetime.is_zero())
            .then(|| self.issued_at.checked_add(lifetime))
            .flatten()
    }

    /// The members of the answer that this crate does not know, as they came. They may hold
    /// secrets.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// The `id_token` of an OpenID Connect answer, opaque: nothing here has verified it.
    #[must_use]
    pub fn id_token(&self) -> Option<&str> {
        self.extra.get("id_token").and_then(Value::as_str)
    }
}

impl Token for TokenSet {
    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> TokenType {
        self.token_type
    }

    fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .field("refresh_token", &self.refresh_token)
            .field("extra", &format_args!("{} members", self.extra.len()))
            .finish()
    }
}
