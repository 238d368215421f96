//! The authorization code grant (RFC 6749 §4.1) with PKCE (RFC 7636).

use secrecy::SecretString;

use super::Grant;
use crate::{Params, Replay, Scopes};

/// A code and what belongs to it (RFC 6749 §4.1.3). A code works once: it is never sent again by
/// the library, and should be dropped after its exchange, whatever the result.
///
/// [`PendingAuthorization::accept`](crate::PendingAuthorization::accept) makes one from a callback,
/// with everything checked; [`AuthorizationCode::new`] is for those who did that themselves.
#[derive(Debug, Clone)]
pub struct AuthorizationCode {
    code: SecretString,
    redirect_uri: Option<String>,
    code_verifier: Option<SecretString>,
    scopes: Option<Scopes>,
}

impl AuthorizationCode {
    /// A code that was issued without a redirect URI in the authorization request.
    #[must_use]
    pub fn new(code: impl Into<SecretString>) -> Self {
        Self {
            code: code.into(),
            redirect_uri: None,
            code_verifier: None,
            scopes: None,
        }
    }

    /// The redirect URI of the authorization request, byte for byte as it was sent.
    #[must_use]
    pub fn with_redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The PKCE verifier (RFC 7636 §4.5).
    #[must_use]
    pub fn with_code_verifier(mut self, code_verifier: impl Into<SecretString>) -> Self {
        self.code_verifier = Some(code_verifier.into());
        self
    }

    /// The scopes of the authorization request. They are not sent again.
    #[must_use]
    pub fn with_requested_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl Grant for AuthorizationCode {
    fn grant_type(&self) -> &str {
        "authorization_code"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        params.push_secret("code", &self.code);
        if let Some(redirect_uri) = &self.redirect_uri {
            params.push("redirect_uri", redirect_uri);
        }
        if let Some(code_verifier) = &self.code_verifier {
            params.push_secret("code_verifier", code_verifier);
        }
    }

    fn replay(&self) -> Replay {
        Replay::Never
    }
}
