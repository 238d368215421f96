//! The JWT bearer grant (RFC 7523 §2.1): a signed word of somebody the server trusts.

use secrecy::{ExposeSecret, SecretString};

use super::{Grant, client_credentials::write_scopes};
use crate::{Error, Params, Scopes};

/// The JWT bearer grant (RFC 7523 §2.1). `jose::Assertion`, feature `jwt-assertion`, makes such
/// JWTs.
///
/// ```
/// use oauth_core::grant::{Grant, JwtBearer};
///
/// assert!(JwtBearer::new("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl").check().is_ok());
/// assert!(JwtBearer::new("eyJhbGciOiJub25lIn0.e30.").check().is_err(), "not signed");
/// ```
#[derive(Debug, Clone)]
pub struct JwtBearer {
    assertion: SecretString,
    scopes: Option<Scopes>,
}

impl JwtBearer {
    /// The grant with one JWT, which a server may take once.
    #[must_use]
    pub fn new(assertion: impl Into<SecretString>) -> Self {
        Self {
            assertion: assertion.into(),
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

impl Grant for JwtBearer {
    fn grant_type(&self) -> &str {
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        params.push_secret("assertion", &self.assertion);
        write_scopes(self.scopes.as_ref(), params);
    }

    fn check(&self) -> Result<(), Error> {
        let parts: Vec<_> = self.assertion.expose_secret().split('.').collect();
        let base64url = |part: &&str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !part.is_empty() && part.bytes().all(plain)
        };
        if parts.len() == 3 && parts.iter().all(base64url) {
            return Ok(());
        }
        Err(Error::usage(
            "the assertion is not one signed JWT (RFC 7523 section 2.1)",
        ))
    }
}
