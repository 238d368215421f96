//! The client credentials grant (RFC 6749 §4.4): a token for the client itself.

use super::Grant;
use crate::{Params, Replay, Scopes};

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Debug, Clone, Default)]
pub struct ClientCredentials {
    scopes: Option<Scopes>,
}

impl ClientCredentials {
    /// A token with the server's default scopes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl Grant for ClientCredentials {
    fn grant_type(&self) -> &str {
        "client_credentials"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        write_scopes(self.scopes.as_ref(), params);
    }

    fn replay(&self) -> Replay {
        Replay::Always
    }

    fn needs_client_authentication(&self) -> bool {
        true
    }
}

/// Scopes as a parameter: left out when there is none, never sent empty (RFC 6749 §3.2).
pub(super) fn write_scopes(scopes: Option<&Scopes>, params: &mut Params) {
    if let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) {
        params.push("scope", scopes.to_string());
    }
}
