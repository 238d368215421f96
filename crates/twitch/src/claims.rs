//! The `claims` parameter of OpenID Connect (Core §5.5): how Twitch is asked for the e-mail
//! address, since it has no scope `email` or `profile`.
//!
//! ```
//! use twitch::{Claim, Claims};
//!
//! let claims = Claims::new().id_token(Claim::Email).userinfo(Claim::Picture);
//! assert_eq!(claims.to_json(), r#"{"id_token":{"email":null},"userinfo":{"picture":null}}"#);
//! ```

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A claim that Twitch gives when it is asked to; `iss`, `sub`, `aud`, `azp`, `exp` and `iat`
/// come without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Claim {
    /// The e-mail address; needs [`Scope::UserReadEmail`](crate::Scope::UserReadEmail).
    Email,
    /// Whether the user has confirmed the e-mail address.
    EmailVerified,
    /// The URL of the user's picture.
    Picture,
    /// The display name.
    PreferredUsername,
    /// When the user last changed these.
    UpdatedAt,
}

impl Claim {
    /// The claim's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailVerified => "email_verified",
            Self::Picture => "picture",
            Self::PreferredUsername => "preferred_username",
            Self::UpdatedAt => "updated_at",
        }
    }
}

/// Which claims are asked for, and where they are to appear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    id_token: BTreeSet<Claim>,
    userinfo: BTreeSet<Claim>,
}

impl Claims {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a claim in the ID token.
    #[must_use]
    pub fn id_token(mut self, claim: Claim) -> Self {
        self.id_token.insert(claim);
        self
    }

    /// Asks for a claim in the answer of the userinfo endpoint.
    #[must_use]
    pub fn userinfo(mut self, claim: Claim) -> Self {
        self.userinfo.insert(claim);
        self
    }

    /// The value of the parameter: a JSON object, not yet URL-encoded.
    #[must_use]
    pub fn to_json(&self) -> String {
        let parts = [("id_token", &self.id_token), ("userinfo", &self.userinfo)];
        let object = |claims: &BTreeSet<Claim>| {
            Value::Object(
                claims
                    .iter()
                    .map(|claim| (claim.as_str().to_owned(), Value::Null))
                    .collect(),
            )
        };
        let asked = parts.into_iter().filter(|(_, claims)| !claims.is_empty());
        let members: Map<String, Value> = asked
            .map(|(name, claims)| (name.to_owned(), object(claims)))
            .collect();
        Value::Object(members).to_string()
    }
}
