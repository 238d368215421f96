//! Who the person is: the one place where passwords are tried.

use secrecy::{ExposeSecret, SecretString};

use crate::{AuthorizationServer, OAuthError, Source, secret::MAX_SECRET, throttle::Attempt};

impl AuthorizationServer {
    /// The subject behind a user name and a password. Failures count as [`Source`] says.
    ///
    /// # Errors
    ///
    /// `invalid_grant` for a wrong user name or password, or a subject that is a client's id; 429
    /// after too many failures; 503 when a context fails.
    pub async fn authenticate_resource_owner(
        &self,
        username: &str,
        password: &SecretString,
        source: Option<Source>,
    ) -> Result<String, OAuthError> {
        self.guarded(self.resource_owner(username, password, source))
            .await
    }

    pub(crate) async fn resource_owner(
        &self,
        username: &str,
        password: &SecretString,
        source: Option<Source>,
    ) -> Result<String, OAuthError> {
        let refused = || OAuthError::invalid_grant("the user name or the password is wrong");
        if password.expose_secret().len() > MAX_SECRET {
            return Err(refused());
        }
        let attempt = Attempt::new("user", username, source);
        self.check_throttle(&attempt)?;
        let owners = self.resource_owners();
        let subject = owners.authenticate(username, password).await?;
        self.check_throttle(&attempt)?;
        let Some(subject) = subject else {
            self.attempt_failed(&attempt);
            return Err(refused());
        };
        self.attempt_succeeded(&attempt);
        self.check_subject(&subject).await?;
        Ok(subject)
    }
}
