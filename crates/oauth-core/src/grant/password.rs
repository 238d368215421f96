//! The resource owner password credentials grant (RFC 6749 §4.3).

use secrecy::SecretString;

use super::{Grant, client_credentials::write_scopes};
use crate::{Params, Replay, Scopes};

/// The resource owner password credentials grant (RFC 6749 §4.3).
///
/// RFC 9700 §2.4 says it must not be used: it gives the password to the client, and teaches users
/// to type it anywhere. It is here, behind the feature `password`, because some servers
/// (Ministry Platform) still have no other way for a service to log in as a user.
///
/// The value holds the password and wipes it when dropped: drop it once there is a token.
#[derive(Debug, Clone)]
pub struct Password {
    username: String,
    password: SecretString,
    scopes: Option<Scopes>,
}

impl Password {
    /// A token for this user.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<SecretString>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            scopes: None,
        }
    }

    /// Asks for these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl Grant for Password {
    fn grant_type(&self) -> &str {
        "password"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        params.push("username", &self.username);
        params.push_secret("password", &self.password);
        write_scopes(self.scopes.as_ref(), params);
    }

    fn replay(&self) -> Replay {
        Replay::Always
    }
}
