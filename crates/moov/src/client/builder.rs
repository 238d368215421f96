//! Putting a client together; every check is in [`ClientBuilder::build`].

use std::sync::Arc;

use oauth_core::{Limits, RetryPolicy, Transport, clock::Clock, random::Random};
use secrecy::{ExposeSecret, SecretString};

use super::Client;
use crate::{BodyFormat, Credentials, Error, Moov, RetryConfig, Version};

/// Puts a [`Client`] together.
///
/// ```
/// use moov::{BodyFormat, Client, Credentials};
///
/// let client = Client::builder("public-key", "secret-key")
///     .origin("https://example.com")
///     .version("v2026.07.00".parse()?)
///     .body(BodyFormat::Form)
///     .credentials(Credentials::Body)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is made before build"]
pub struct ClientBuilder {
    public_key: String,
    secret_key: SecretString,
    origin: Option<String>,
    referer: Option<String>,
    without_site: bool,
    version: Option<Version>,
    body: BodyFormat,
    credentials: Credentials,
    base_url: Option<String>,
    retry: RetryConfig,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    limits: Limits,
}

impl ClientBuilder {
    pub(super) fn new(public_key: String, secret_key: SecretString) -> Self {
        Self {
            public_key,
            secret_key,
            origin: None,
            referer: None,
            without_site: false,
            version: None,
            body: BodyFormat::default(),
            credentials: Credentials::default(),
            base_url: None,
            retry: RetryConfig::none(),
            transport: None,
            clock: None,
            random: None,
            limits: Limits::default(),
        }
    }

    /// Sends `Origin` with every call: one of the domains in the key pair's list, as scheme and
    /// host. Moov wants this or [`ClientBuilder::referer`], and answers 403 without.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sends `Referer` with every call instead of `Origin`; it may have a path.
    pub fn referer(mut self, referer: impl Into<String>) -> Self {
        self.referer = Some(referer.into());
        self
    }

    /// Sends neither `Origin` nor `Referer`: where something on the way adds one.
    pub fn without_origin(mut self) -> Self {
        self.without_site = true;
        self
    }

    /// Asks for a version of the API with every call; otherwise Moov assumes `v2024.01.00`.
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets how bodies are written, JSON otherwise.
    pub fn body(mut self, body: BodyFormat) -> Self {
        self.body = body;
        self
    }

    /// Sets where the key pair goes, HTTP Basic otherwise.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets where Moov is, [`Moov::BASE_URL`] otherwise.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// Sets what is sent again, nothing otherwise. A request can say something else for itself.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how requests are sent; otherwise by a reqwest client of our own.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// As [`ClientBuilder::transport`], for one that several share.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets where the time comes from; otherwise from the system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets where randomness comes from; otherwise from the operating system.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Sets what one exchange may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// A usage error when a key is empty, when not exactly one of `origin` and `referer` was given
    /// and neither was waived, when one of them or the base URL is malformed, or when there is no
    /// transport.
    pub fn build(self) -> Result<Client, Error> {
        if self.public_key.is_empty() || self.secret_key.expose_secret().is_empty() {
            return Err(usage("the public key or the secret key is empty"));
        }
        let moov = match &self.base_url {
            Some(base_url) => Moov::at(base_url)?,
            None => Moov::new(),
        };
        let mut moov = match (self.origin, self.referer, self.without_site) {
            (Some(origin), None, false) => moov.with_origin(&origin)?,
            (None, Some(referer), false) => moov.with_referer(&referer)?,
            (None, None, true) => moov,
            (None, None, false) => {
                return Err(usage(
                    "Moov wants an Origin or a Referer; give one with origin() or referer()",
                ));
            }
            _ => {
                return Err(usage(
                    "give exactly one of origin(), referer() and without_origin()",
                ));
            }
        };
        moov = moov.with_body(self.body).with_credentials(self.credentials);
        if let Some(version) = self.version {
            moov = moov.with_version(version);
        }
        let mut builder = oauth_core::Client::builder(moov, self.public_key)
            .client_secret(self.secret_key)
            .limits(self.limits)
            .retry(RetryPolicy::from(&self.retry));
        if let Some(transport) = self.transport {
            builder = builder.shared_transport(transport);
        }
        if let Some(clock) = self.clock {
            builder = builder.clock(clock);
        }
        if let Some(random) = self.random {
            builder = builder.random(random);
        }
        Ok(Client(builder.build()?))
    }
}

fn usage(message: &'static str) -> Error {
    oauth_core::Error::usage(message).into()
}
