//! The refresh token grant (RFC 6749 §6).

use super::{Grant, client_credentials::write_scopes};
use crate::{Error, Params, Scopes, Token};

/// A refresh token and the scopes that go with it (RFC 6749 §6).
///
/// The grant holds a copy: the refresh token stays where it was until the new one is
/// stored, so that a failed or cancelled refresh loses nothing.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    token: crate::RefreshToken,
    granted: Option<Scopes>,
    narrowed: Option<Scopes>,
}

impl RefreshToken {
    /// A refresh with the scopes that were granted.
    #[must_use]
    pub fn new(token: crate::RefreshToken) -> Self {
        Self {
            token,
            granted: None,
            narrowed: None,
        }
    }

    /// A refresh of `token`.
    ///
    /// # Errors
    /// A usage error when it has no refresh token: the user must authorize again, or a client
    /// credentials token be asked for anew.
    pub fn of(token: &dyn Token) -> Result<Self, Error> {
        let refresh_token = token.refresh_token().ok_or_else(|| {
            Error::reauthorization_needed("there is no refresh token; authorize again, or ask for a new token with the grant that gave this one")
        })?;
        Ok(Self::new(refresh_token.clone()).with_granted_scopes(token.scopes().clone()))
    }

    /// What was granted: the answer grants the same when it is silent. Not sent.
    #[must_use]
    pub fn with_granted_scopes(mut self, scopes: Scopes) -> Self {
        self.granted = Some(scopes);
        self
    }

    /// Asks for fewer scopes than were granted.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.narrowed = Some(scopes);
        self
    }
}

impl Grant for RefreshToken {
    fn grant_type(&self) -> &str {
        "refresh_token"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.narrowed.as_ref().or(self.granted.as_ref())
    }

    fn write(&self, params: &mut Params) {
        params.push_secret("refresh_token", self.token.as_secret());
        write_scopes(self.narrowed.as_ref(), params);
    }

    fn refresh_token(&self) -> Option<&crate::RefreshToken> {
        Some(&self.token)
    }

    fn check(&self) -> Result<(), Error> {
        match (&self.narrowed, &self.granted) {
            (Some(asked), Some(granted)) if !asked.is_subset(granted) => Err(Error::usage(
                "a refresh asks for a scope that was not granted; ask the user for it (RFC 6749 section 6)",
            )),
            _ => Ok(()),
        }
    }
}
