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
    core: oauth_core::ClientBuilder,
    twitch: Arc<Twitch>,
}

impl ClientBuilder {
    pub(super) fn new(twitch: Twitch, client_id: String) -> Self {
        let twitch = Arc::new(twitch);
        Self {
            core: oauth_core::Client::builder_for(twitch.clone(), client_id),
            twitch,
        }
    }

    /// The secret of a confidential client. A public one has none and must not send one.
    pub fn client_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.core = self.core.client_secret(secret);
        self
    }

    /// How requests are sent; otherwise by a reqwest client of our own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.core = self.core.transport(transport);
        self
    }

    /// As [`ClientBuilder::transport`], for one that several share.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.core = self.core.shared_transport(transport);
        self
    }

    /// Where the time comes from; otherwise from the system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.core = self.core.clock(clock);
        self
    }

    /// Where randomness comes from; otherwise from the operating system.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.core = self.core.random(random);
        self
    }

    /// What one exchange may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.core = self.core.limits(limits);
        self
    }

    /// What is tried again, and how long a wait may be: a longer one is left to the caller, in
    /// [`Error::retry_after`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.core = self.core.retry(policy);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// A usage error when the client id is empty, or there is no transport and the feature
    /// that brings one is off.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client {
            core: self.core.build()?,
            twitch: self.twitch,
        })
    }
}
