//! Putting a client together.

use std::sync::Arc;

use oauth_core::{
    Error, Limits, RetryPolicy, Transport, clock::Clock, random::Random, secrecy::SecretString,
};

use super::Client;
use crate::Twitch;

/// Puts a [`Client`] together.
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct ClientBuilder {
    twitch: Twitch,
    client_id: String,
    secret: Option<SecretString>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    limits: Limits,
    retry: Option<RetryPolicy>,
}

impl ClientBuilder {
    pub(super) fn new(twitch: Twitch, client_id: String) -> Self {
        Self {
            twitch,
            client_id,
            secret: None,
            transport: None,
            clock: None,
            random: None,
            limits: Limits::default(),
            retry: None,
        }
    }

    /// The secret of a confidential client. A public one has none and must not send one.
    pub fn client_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// How requests are sent; otherwise by a reqwest client of our own.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// As [`ClientBuilder::transport`], for one that several share.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where the time comes from; otherwise from the system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where randomness comes from; otherwise from the operating system.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// What one exchange may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is tried again, and how long a wait may be: a longer one is left to the caller, in
    /// [`Error::retry_after`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// A usage error when the client id is empty, or there is no transport and the feature
    /// that brings one is off.
    pub fn build(self) -> Result<Client, Error> {
        let public = self.secret.is_none();
        let twitch = Arc::new(self.twitch.of_client(&self.client_id, public));
        let mut core = oauth_core::Client::builder_for(twitch.clone(), self.client_id);
        core = core.limits(self.limits);
        if let Some(secret) = self.secret {
            core = core.client_secret(secret);
        }
        if let Some(transport) = self.transport {
            core = core.shared_transport(transport);
        }
        if let Some(clock) = self.clock {
            core = core.clock(clock);
        }
        if let Some(random) = self.random {
            core = core.random(random);
        }
        if let Some(retry) = self.retry {
            core = core.retry(retry);
        }
        let core = core.build()?;
        Ok(Client { core, twitch })
    }
}
