//! Whose tokens they are.

use std::{fmt, sync::Arc};

/// On whose behalf a token acts. How it was obtained decides, not what the token says: with client
/// credentials a server may name the client as `sub` (RFC 9068 §2.2), or a user of that very name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The client itself (RFC 6749 §4.4).
    Client,
    /// A user, by the application's own name for them.
    User(Box<str>),
}

impl Subject {
    /// The user `id`.
    pub fn user(id: impl Into<Box<str>>) -> Self {
        Self::User(id.into())
    }

    /// The user's id; `None` for the client itself.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::Client => None,
            Self::User(id) => Some(id),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("Client"),
            Self::User(id) => write!(f, "User({id:?})"),
        }
    }
}

/// Issuer, client and subject: what a record is kept under. Compared as three texts, so that no
/// character in one of them can make it look like another owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    issuer: Arc<str>,
    client_id: Arc<str>,
    subject: Subject,
}

impl Owner {
    /// The owner of the tokens that `issuer` gave to `client_id` for `subject`.
    pub fn new(
        issuer: impl Into<Arc<str>>,
        client_id: impl Into<Arc<str>>,
        subject: Subject,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            subject,
        }
    }

    /// The issuer identifier, or the token endpoint of a server without one.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// On whose behalf.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }
}
