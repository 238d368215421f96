//! What an id token must say beside what every id token must.

use std::{fmt, time::Duration};

use super::Claims;
use crate::{AccessToken, PendingAuthorization};

/// What is known about an id token before it is read. What it must say follows from that.
///
/// ```
/// use std::time::Duration;
/// use oauth_core::openid::Expected;
///
/// let after_a_callback = Expected::new().with_nonce("n-0S6_WzA2Mj").with_max_age(Duration::from_secs(300));
/// let from_a_device = Expected::new();
/// ```
#[derive(Clone, Default)]
pub struct Expected {
    pub(super) nonce: Option<String>,
    pub(super) max_age: Option<Duration>,
    pub(super) access_token: Option<AccessToken>,
    pub(super) previous: Option<Claims>,
}

impl Expected {
    /// An id token without a `nonce`: of a grant that sends none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An id token of this authorization, with its `nonce`.
    #[must_use]
    pub fn of(pending: &PendingAuthorization) -> Self {
        Self {
            nonce: pending.nonce().map(str::to_owned),
            ..Self::default()
        }
    }

    /// An id token that came with a refresh: of the same user, from the same issuer, for the same
    /// client (OpenID Connect Core §12.2). `previous` are the claims of the one before.
    #[must_use]
    pub fn refreshed(previous: &Claims) -> Self {
        Self {
            previous: Some(previous.clone()),
            ..Self::default()
        }
    }

    /// The `nonce` that was sent.
    #[must_use]
    pub fn with_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// The `max_age` that was sent: the user must have authenticated no longer ago.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The access token that came along: `at_hash`, if it is there, must be its hash.
    #[must_use]
    pub fn with_access_token(mut self, token: AccessToken) -> Self {
        self.access_token = Some(token);
        self
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("nonce", &self.nonce.is_some())
            .field("max_age", &self.max_age)
            .field("access_token", &self.access_token)
            .field("previous", &self.previous)
            .finish()
    }
}
