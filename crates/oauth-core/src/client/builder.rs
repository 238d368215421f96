//! Putting a client together; every check is in [`ClientBuilder::build`].

#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
mod keys;

use std::{fmt, sync::Arc};

use secrecy::SecretString;

use super::{Client, Inner};
use crate::{
    ClientAuthMethod, ClientAuthentication, Error, Limits, Provider, RetryPolicy, Transport,
    clock::{Clock, SystemClock},
    random::{OsRandom, Random},
};

/// Puts a [`Client`] together.
pub struct ClientBuilder {
    provider: Arc<dyn Provider>,
    client_id: String,
    secret: Option<SecretString>,
    method: Option<ClientAuthMethod>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    limits: Limits,
    retry: Option<RetryPolicy>,
    #[cfg(feature = "jwt-assertion")]
    assertion: keys::AssertionSettings,
    #[cfg(feature = "dpop")]
    dpop: Option<crate::dpop::Dpop>,
}

impl ClientBuilder {
    pub(super) fn new(provider: Arc<dyn Provider>, client_id: String) -> Self {
        Self {
            provider,
            client_id,
            secret: None,
            method: None,
            transport: None,
            clock: None,
            random: None,
            limits: Limits::default(),
            retry: None,
            #[cfg(feature = "jwt-assertion")]
            assertion: keys::AssertionSettings::default(),
            #[cfg(feature = "dpop")]
            dpop: None,
        }
    }

    /// The client's secret. Without one the client is public (RFC 6749 §2.1).
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// How the client authenticates; otherwise as the provider says.
    #[must_use]
    pub fn client_authentication(mut self, method: ClientAuthMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// How requests are sent; otherwise by a reqwest client of our own.
    #[must_use]
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// As [`ClientBuilder::transport`], for one that several clients share.
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

    /// What one exchange may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is tried again; otherwise as the provider says.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// A usage error when id, secret, key and method do not fit together, or when there is no
    /// transport and the feature `reqwest` is off.
    pub fn build(mut self) -> Result<Client, Error> {
        let clock = self
            .clock
            .take()
            .unwrap_or_else(|| Arc::new(SystemClock::new()));
        let random = self.random.take().unwrap_or_else(|| Arc::new(OsRandom));
        let authentication = self.authentication(&clock, &random)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport()?,
        };
        Ok(Client(Arc::new(Inner {
            retry: self.retry.unwrap_or_else(|| self.provider.retry_policy()),
            provider: self.provider,
            authentication,
            transport,
            clock,
            random,
            limits: self.limits,
            #[cfg(feature = "dpop")]
            dpop: self.dpop,
            #[cfg(feature = "openid")]
            keys: crate::openid::KeyCache::default(),
        })))
    }

    fn authentication(
        &mut self,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Result<ClientAuthentication, Error> {
        let client_id = std::mem::take(&mut self.client_id);
        #[cfg(feature = "jwt-assertion")]
        if let Some(assertion) = self.client_assertion(clock, random)? {
            return ClientAuthentication::with_assertion(client_id, self.secret.take(), assertion);
        }
        #[cfg(not(feature = "jwt-assertion"))]
        let _ = (clock, random);
        let method = self
            .method
            .unwrap_or_else(|| self.provider.client_authentication());
        ClientAuthentication::new(client_id, method, self.secret.take())
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("provider", &self.provider.name())
            .field("client_id", &self.client_id)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "reqwest")]
fn default_transport() -> Result<Arc<dyn Transport>, Error> {
    Ok(Arc::new(crate::ReqwestTransport::new()?))
}

#[cfg(not(feature = "reqwest"))]
fn default_transport() -> Result<Arc<dyn Transport>, Error> {
    Err(Error::usage(
        "there is no transport: give one with ClientBuilder::transport, or switch on the feature reqwest",
    ))
}
