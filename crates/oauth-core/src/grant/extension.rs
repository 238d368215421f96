//! Any other grant (RFC 6749 §4.5).

use secrecy::SecretString;

use super::{Grant, client_credentials::write_scopes};
use crate::{Error, Params, Replay, Scopes};

/// A grant that has no type of its own here (RFC 6749 §4.5): a URI and its parameters.
///
/// ```
/// use oauth_core::grant::Extension;
///
/// let grant = Extension::new("urn:ietf:params:oauth:grant-type:saml2-bearer")
///     .with_secret_param("assertion", "PHNhbWxwOl");
/// ```
#[derive(Debug, Clone)]
pub struct Extension {
    grant_type: String,
    params: Params,
    scopes: Option<Scopes>,
    replay: Replay,
}

impl Extension {
    /// The grant of this type.
    #[must_use]
    pub fn new(grant_type: impl Into<String>) -> Self {
        Self {
            grant_type: grant_type.into(),
            params: Params::new(),
            scopes: None,
            replay: Replay::Unsent,
        }
    }

    /// Adds a parameter that may be shown.
    #[must_use]
    pub fn with_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name: String = name.into();
        self.params.push(name, value);
        self
    }

    /// Adds a parameter that may not.
    #[must_use]
    pub fn with_secret_param(
        mut self,
        name: impl Into<String>,
        value: impl Into<SecretString>,
    ) -> Self {
        let name: String = name.into();
        self.params.push_secret(name, &value.into());
        self
    }

    /// Asks for these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Sets whether the request may be sent a second time; otherwise only when nothing of it can
    /// have reached the server.
    #[must_use]
    pub fn with_replay(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }
}

impl Grant for Extension {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        params.append(&self.params);
        write_scopes(self.scopes.as_ref(), params);
    }

    fn replay(&self) -> Replay {
        self.replay
    }

    fn check(&self) -> Result<(), Error> {
        let owned = [
            "grant_type",
            "client_id",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
        ];
        if owned.iter().any(|name| self.params.contains(name)) {
            return Err(Error::usage(
                "an extension grant sets grant_type or the client's own parameters; those are set for it",
            ));
        }
        Ok(())
    }
}
