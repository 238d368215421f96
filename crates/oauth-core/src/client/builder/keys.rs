//! The keys of a client: one to authenticate with, one to bind its tokens to.

use super::ClientBuilder;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;
use crate::jose::SigningKey;
#[cfg(feature = "jwt-assertion")]
use crate::{
    Error,
    client_auth::{AssertionKey, ClientAssertion},
    clock::Clock,
    random::Random,
};
#[cfg(feature = "jwt-assertion")]
use std::{sync::Arc, time::Duration};

/// How long a JWT that authenticates the client is good for: it is sent at once.
#[cfg(feature = "jwt-assertion")]
const LIFETIME: Duration = Duration::from_secs(60);

/// What a client that authenticates with a JWT (RFC 7523 §2.2) was given.
#[cfg(feature = "jwt-assertion")]
#[derive(Default)]
pub(super) struct AssertionSettings {
    key: Option<SigningKey>,
    audience: Option<String>,
    lifetime: Option<Duration>,
}

#[cfg(feature = "jwt-assertion")]
impl ClientBuilder {
    /// The client's private key: it authenticates with a JWT of its own for each request
    /// (RFC 7523 §2.2, `private_key_jwt`).
    #[must_use]
    pub fn client_key(mut self, key: SigningKey) -> Self {
        self.assertion.key = Some(key);
        self
    }

    /// The audience of the JWTs that authenticate the client; otherwise the provider's issuer, or
    /// its token endpoint when the issuer is not known (RFC 7523 §3).
    #[must_use]
    pub fn assertion_audience(mut self, audience: impl Into<String>) -> Self {
        self.assertion.audience = Some(audience.into());
        self
    }

    /// How long those JWTs are good for, 60 s otherwise. Each is sent once.
    #[must_use]
    pub fn assertion_lifetime(mut self, lifetime: Duration) -> Self {
        self.assertion.lifetime = Some(lifetime);
        self
    }

    /// How the client makes the JWTs that it authenticates with, if it does that.
    pub(super) fn client_assertion(
        &mut self,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Result<Option<ClientAssertion>, Error> {
        let settings = std::mem::take(&mut self.assertion);
        let usual = self.provider.client_authentication();
        let key = AssertionKey::choose(settings.key, self.method, usual, self.secret.as_ref())?;
        let endpoints = self.provider.endpoints();
        Ok(key.map(|key| ClientAssertion {
            key,
            audience: settings.audience.unwrap_or_else(|| {
                let known = endpoints.issuer();
                known.unwrap_or(endpoints.token().as_str()).to_owned()
            }),
            lifetime: settings.lifetime.unwrap_or(LIFETIME),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
        }))
    }
}

#[cfg(feature = "dpop")]
impl ClientBuilder {
    /// Binds every token to `key` (RFC 9449). A token that comes back unbound is refused.
    #[must_use]
    pub fn dpop(mut self, key: SigningKey) -> Self {
        self.dpop = Some(Dpop::new(key, true));
        self
    }

    /// As [`ClientBuilder::dpop`], but takes an unbound token, too: its
    /// [`token_type`](crate::Token::token_type) says which it is.
    #[must_use]
    pub fn dpop_if_supported(mut self, key: SigningKey) -> Self {
        self.dpop = Some(Dpop::new(key, false));
        self
    }
}
