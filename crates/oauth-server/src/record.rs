//! What the contexts keep. Tokens and codes are in here as hashes only, so that what is stored
//! cannot be replayed.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{InvalidScope, Scope, SealedToken};

/// The SHA-256 of a generated token or code: these hold so much randomness that a slow hash
/// would add nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of `token`.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Names one grant: all tokens that came from the same consent carry the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantId(pub(crate) [u8; 18]);

/// As text, in base64url, and back.
macro_rules! as_text {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
                let bytes = bytes.try_into();
                bytes.map(Self).map_err(|_| concat!("not a ", stringify!($type), " in base64url"))
            }
        }
    )*};
}

as_text!(TokenHash, GrantId);

/// Who granted what to whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrantRecord {
    /// Which grant this is.
    pub id: GrantId,
    /// The client that got it.
    pub client_id: Arc<str>,
    /// The person who gave it; none when the client acts for itself. Client ids and subjects are
    /// separate name spaces.
    pub subject: Option<String>,
    /// What may be done with it.
    pub scope: Scope,
    /// The resources it is limited to (RFC 8707); none means no limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// When the person last showed who they are (OpenID Connect Core §2, `auth_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<SystemTime>,
}

impl GrantRecord {
    /// Whether it is this client's (or any's) and this person's (or anybody's).
    pub(crate) fn is_of(&self, client_id: Option<&str>, subject: Option<&str>) -> bool {
        is_of(
            (&self.client_id, self.subject.as_deref()),
            client_id,
            subject,
        )
    }
}

/// Whether what `owner` has, a client and a person, is this client's (or any's) and this person's (or
/// anybody's).
pub(crate) fn is_of(
    owner: (&str, Option<&str>),
    client_id: Option<&str>,
    subject: Option<&str>,
) -> bool {
    client_id.is_none_or(|client_id| client_id == owner.0)
        && subject.is_none_or(|subject| Some(subject) == owner.1)
}

/// A stored access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccessTokenRecord {
    /// The hash it is found by.
    pub hash: TokenHash,
    /// The grant behind it; its scope is that of this token.
    pub grant: GrantRecord,
    /// When it was issued.
    pub issued_at: SystemTime,
    /// When it ends.
    pub expires_at: SystemTime,
    /// The thumbprint of the key it is bound to (RFC 9449 §6); none for a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
}

/// A stored refresh token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefreshTokenRecord {
    /// The hash it is found by.
    pub hash: TokenHash,
    /// The grant behind it.
    pub grant: GrantRecord,
    /// When it was issued.
    pub issued_at: SystemTime,
    /// When it ends unless it is used.
    pub expires_at: SystemTime,
    /// When it ends however often it is used. A successor inherits it: rotation does not prolong
    /// a grant. Until then it is kept, because any member of the family may come back.
    pub grant_expires_at: SystemTime,
    /// Whether it was exchanged for a successor. It is kept all the same, because its return is
    /// how a theft shows (RFC 9700 §4.14.2).
    pub consumed: bool,
    /// The thumbprint of the key it is bound to: that of a public client (RFC 9449 §5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// The successor, while a grace window may ask for it again.
    pub successor: Option<SealedToken>,
}

/// A stored authorization code.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuthorizationCodeRecord {
    /// The hash it is found by.
    pub hash: TokenHash,
    /// The grant it stands for.
    pub grant: GrantRecord,
    /// The redirect URI it was sent to.
    pub redirect_uri: String,
    /// Whether the request named that URI; then the token request must, too (RFC 6749 §4.1.3).
    pub redirect_uri_given: bool,
    /// The S256 challenge of the request (RFC 7636 §4.2).
    pub code_challenge: Option<String>,
    /// The `nonce` of the request, for the ID token (OpenID Connect Core §3.1.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The thumbprint of the key that the tokens are to be bound to (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// When it ends.
    pub expires_at: SystemTime,
    /// Whether it was presented already. It is kept for a while, because its return is a sign of
    /// theft (RFC 6749 §4.1.2).
    pub consumed: bool,
}

/// A stored pushed authorization request (RFC 9126).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PushedRequestRecord {
    /// The hash of what is in the request URI.
    pub hash: TokenHash,
    /// The client that pushed it.
    pub client_id: String,
    /// The parameters of the request, without what authenticated the client.
    pub parameters: Vec<(String, String)>,
    /// When it ends.
    pub expires_at: SystemTime,
    /// Whether somebody decided on it already.
    pub consumed: bool,
}

/// A stored device code (RFC 8628).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceCodeRecord {
    /// The hash of the device code.
    pub hash: TokenHash,
    /// The hash of the user code, without blanks and dashes, in capitals.
    pub user_code_hash: TokenHash,
    /// The grant it stands for; its subject comes with the approval.
    pub grant: GrantRecord,
    /// How far it has come.
    pub status: DeviceStatus,
    /// The least time between two polls; it grows by 5 s with each that comes too early.
    pub interval: Duration,
    /// When the device last asked.
    pub polled_at: Option<SystemTime>,
    /// When it ends.
    pub expires_at: SystemTime,
}

impl DeviceCodeRecord {
    /// Nothing comes of it any more.
    pub(crate) fn revoke(&mut self) {
        if self.status != DeviceStatus::Used {
            self.status = DeviceStatus::Denied;
        }
    }
}

/// How far a device code has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceStatus {
    /// Nobody has decided yet.
    Pending,
    /// A person agreed.
    Approved,
    /// A person refused.
    Denied,
    /// The token was handed out.
    Used,
}

/// A scope that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopeRecord {
    /// The scope token (RFC 6749 §3.3).
    pub name: String,
    /// What it allows, in the words of the person who is asked for it.
    pub description: String,
    /// Whether a client without default scopes of its own gets it when it asks for none.
    pub default: bool,
    /// Whether people are asked before a client gets it.
    pub consent: bool,
}

impl ScopeRecord {
    /// A scope that is no default and needs consent.
    ///
    /// # Errors
    ///
    /// When `name` is not exactly one scope token.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
    ) -> Result<Self, InvalidScope> {
        let name = name.into();
        Scope::requested(&name)?;
        if name.contains(' ') {
            return Err(InvalidScope);
        }
        Ok(Self {
            description: description.into(),
            ..Self::unknown(&name)
        })
    }

    /// One that nothing is known about but its name.
    pub(crate) fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            default: false,
            consent: true,
        }
    }

    /// Whether a client without default scopes of its own gets it when it asks for none.
    pub fn default_scope(mut self, default: bool) -> Self {
        self.default = default;
        self
    }

    /// Whether people are asked before a client gets it.
    pub fn needs_consent(mut self, consent: bool) -> Self {
        self.consent = consent;
        self
    }
}

macro_rules! of_grant {
    ($($record:ty),*) => {$(
        impl $record {
            /// The client it was issued to.
            pub fn client_id(&self) -> &str {
                &self.grant.client_id
            }

            /// The person behind it; none when the client acts for itself.
            pub fn subject(&self) -> Option<&str> {
                self.grant.subject.as_deref()
            }

            /// What it allows.
            pub fn scope(&self) -> &Scope {
                &self.grant.scope
            }

            /// The resources it is limited to (RFC 8707); none means no limit.
            pub fn audience(&self) -> &[String] {
                &self.grant.audience
            }
        }
    )*};
}

of_grant!(
    AccessTokenRecord,
    RefreshTokenRecord,
    AuthorizationCodeRecord,
    DeviceCodeRecord
);
