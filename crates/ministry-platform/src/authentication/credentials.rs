//! A login that is not the default user's.

use std::fmt;

use secrecy::SecretString;

/// A login for [`authenticate_with`](crate::Authentication::authenticate_with). Passwords and secrets are wiped with it.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: SecretString,
    client: Option<(String, SecretString)>,
}

impl Credentials {
    /// This user, through the configured API client.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<SecretString>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            client: None,
        }
    }

    /// Through another API client.
    #[must_use]
    pub fn with_client(
        mut self,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Self {
        self.client = Some((client_id.into(), client_secret.into()));
        self
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &SecretString {
        &self.password
    }

    pub(super) fn client(&self) -> Option<&(String, SecretString)> {
        self.client.as_ref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client.as_ref().map(|(id, _)| id))
            .finish_non_exhaustive()
    }
}
