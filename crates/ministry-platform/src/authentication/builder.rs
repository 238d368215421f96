//! Putting an [`Authentication`] together; every check is in [`AuthenticationBuilder::build`].

use std::{fmt, sync::Arc};

use oauth_core::{
    Client, Limits, RetryPolicy, Scopes, Transport, clock::Clock, random::Random, store::TokenStore,
};
use secrecy::{ExposeSecret, SecretString};

use super::{Authentication, User};
use crate::{Error, MinistryPlatform, SCOPE_ALL};

/// Puts an [`Authentication`] together.
#[derive(Clone)]
pub struct AuthenticationBuilder {
    platform: Platform,
    user: Option<String>,
    password: Option<SecretString>,
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    lookup_user: Option<User>,
    scopes: Option<Scopes>,
    offline_access: bool,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    store: Option<Arc<dyn TokenStore>>,
    limits: Limits,
    retry: RetryPolicy,
}

#[derive(Clone)]
enum Platform {
    At(String),
    Is(Box<MinistryPlatform>),
}

impl AuthenticationBuilder {
    pub(super) fn at(base_url: String) -> Self {
        Self::new(Platform::At(base_url))
    }

    pub(super) fn of(platform: MinistryPlatform) -> Self {
        Self::new(Platform::Is(Box::new(platform)))
    }

    fn new(platform: Platform) -> Self {
        Self {
            platform,
            user: None,
            password: None,
            client_id: None,
            client_secret: None,
            lookup_user: None,
            scopes: None,
            offline_access: false,
            transport: None,
            clock: None,
            random: None,
            store: None,
            limits: Limits::default(),
            retry: RetryPolicy::default(),
        }
    }

    /// Takes base URL, user and client from `MP_BASE_URL`, `MP_USERNAME`, `MP_PASSWORD`,
    /// `MP_CLIENT_ID` and `MP_CLIENT_SECRET`, as they are now.
    ///
    /// # Errors
    /// A usage error that names the first variable that is not set, or empty.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| {
                Error::usage(format!(
                    "the environment variable {name} is not set, or empty"
                ))
            })
        };
        Ok(Self::at(get("MP_BASE_URL")?)
            .username(get("MP_USERNAME")?)
            .password(get("MP_PASSWORD")?)
            .client_id(get("MP_CLIENT_ID")?)
            .client_secret(get("MP_CLIENT_SECRET")?))
    }

    /// The default user's name.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.user = Some(username.into());
        self
    }

    /// The default user's password.
    #[must_use]
    pub fn password(mut self, password: impl Into<SecretString>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The id of the API client that the user logs in through.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Its secret.
    #[must_use]
    pub fn client_secret(mut self, client_secret: impl Into<SecretString>) -> Self {
        self.client_secret = Some(client_secret.into());
        self
    }

    /// A user whose only right is to read the API Clients table, for the look-up of client
    /// secrets. Its token is kept apart and never handed out. Otherwise the default user reads it.
    #[must_use]
    pub fn lookup_user(
        mut self,
        username: impl Into<String>,
        password: impl Into<SecretString>,
    ) -> Self {
        self.lookup_user = Some(User {
            username: username.into(),
            password: password.into(),
        });
        self
    }

    /// Which scopes a user's token is asked with, [`SCOPE_ALL`] and `openid` otherwise.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Asks for a refresh token too (`offline_access`), and renews the user's token with it.
    #[must_use]
    pub fn offline_access(mut self, offline_access: bool) -> Self {
        self.offline_access = offline_access;
        self
    }

    /// How requests are sent; otherwise by a reqwest client of our own.
    #[must_use]
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// As [`AuthenticationBuilder::transport`], for one that several share.
    #[must_use]
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where the time comes from; otherwise from the system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where randomness comes from; otherwise from the operating system.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Where tokens are kept beyond this process's memory. Without a store they end with it.
    #[must_use]
    pub fn store(self, store: impl TokenStore) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// As [`AuthenticationBuilder::store`], for a store that is shared.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// What one exchange may take. Tables with many rows need a larger body.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is tried again. A 500 of the API never is: it can mean that the query is wrong.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The authentication.
    ///
    /// # Errors
    /// A usage error when the base URL is not one, when user name, password, client id or client
    /// secret is missing or empty, or when there is no transport.
    pub fn build(self) -> Result<Authentication, Error> {
        let platform = match self.platform {
            Platform::At(base_url) => MinistryPlatform::new(&base_url)?,
            Platform::Is(platform) => *platform,
        };
        let username = self
            .user
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Error::usage("there is no user name"))?;
        let password = filled(self.password).ok_or_else(|| Error::usage("there is no password"))?;
        let client_id = self
            .client_id
            .ok_or_else(|| Error::usage("there is no client id"))?;
        let secret =
            filled(self.client_secret).ok_or_else(|| Error::usage("there is no client secret"))?;

        let mut builder = Client::builder(platform.clone(), client_id)
            .client_secret(secret)
            .limits(self.limits)
            .retry(self.retry.clone());
        if let Some(transport) = self.transport {
            builder = builder.shared_transport(transport);
        }
        if let Some(clock) = self.clock {
            builder = builder.clock(clock);
        }
        if let Some(random) = self.random {
            builder = builder.random(random);
        }
        let mut scopes = match self.scopes {
            Some(scopes) => scopes,
            None => Scopes::new([SCOPE_ALL, "openid"])?,
        };
        if self.offline_access {
            scopes = Scopes::new(scopes.iter().chain(["offline_access"]))?;
        }
        let user = User { username, password };
        Ok(Authentication::new(
            platform,
            builder.build()?,
            user,
            self.lookup_user,
            scopes,
            self.retry.without_status(500),
            self.store,
        ))
    }
}

fn filled(secret: Option<SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

impl fmt::Debug for AuthenticationBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationBuilder")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const ALL: [(&str, &str); 5] = [
        ("MP_BASE_URL", "my.church.org"),
        ("MP_USERNAME", "user"),
        ("MP_PASSWORD", "password"),
        ("MP_CLIENT_ID", "client"),
        ("MP_CLIENT_SECRET", "secret"),
    ];

    fn variables(missing: &str) -> impl Fn(&str) -> Option<String> {
        move |name| {
            ALL.iter()
                .find(|(have, _)| *have == name && *have != missing)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn the_environment_gives_everything() {
        let builder = AuthenticationBuilder::from_variables(variables("")).unwrap();
        assert_eq!(builder.user.as_deref(), Some("user"));
        assert_eq!(builder.password.unwrap().expose_secret(), "password");
        assert_eq!(builder.client_id.as_deref(), Some("client"));
        assert_eq!(builder.client_secret.unwrap().expose_secret(), "secret");
        assert!(matches!(builder.platform, Platform::At(url) if url == "my.church.org"));
    }

    #[test]
    fn a_variable_that_is_missing_or_empty_is_named() {
        for (name, _) in ALL {
            let missing = AuthenticationBuilder::from_variables(variables(name)).unwrap_err();
            let empty = AuthenticationBuilder::from_variables(|wanted| {
                variables("")(wanted)
                    .map(|value| if wanted == name { String::new() } else { value })
            });
            for error in [missing, empty.unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::Usage);
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_found_before_anything_is_sent() {
        let empty = || Authentication::builder("my.church.org");
        for incomplete in [
            empty(),
            empty().username("u").password("p").client_id("c"),
            empty()
                .username("u")
                .password("p")
                .client_id("")
                .client_secret("s"),
            empty()
                .username("u")
                .password("")
                .client_id("c")
                .client_secret("s"),
            empty()
                .username("")
                .password("p")
                .client_id("c")
                .client_secret("s"),
            Authentication::builder("https://x/other")
                .username("u")
                .password("p")
                .client_id("c")
                .client_secret("s"),
        ] {
            assert_eq!(incomplete.build().unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
