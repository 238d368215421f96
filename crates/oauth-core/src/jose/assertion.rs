//! Assertions (RFC 7521, RFC 7523 §3): what a key's owner says to an authorization server.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{SigningKey, compact, numeric_date};
use crate::{
    Client, Error,
    clock::Clock,
    random::{self, Random},
};

/// A JWT for [`grant::JwtBearer`](crate::grant::JwtBearer) (RFC 7523 §3), before it is signed.
///
/// ```
/// use oauth_core::{Client, Error, grant, jose::{Assertion, SigningKey}};
///
/// async fn call(client: &Client, key: &SigningKey) -> Result<(), Error> {
///     let assertion = Assertion::new("service@example.com", "user@example.com", "https://id.example.com")
///         .sign(key, client)?;
///     let token = client.exchange(&grant::JwtBearer::new(assertion)).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Assertion {
    issuer: String,
    subject: String,
    audience: String,
    lifetime: Duration,
    extra: Map<String, Value>,
}

/// The claims that are set here, so that none of them can say two things.
const OWNED: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

impl Assertion {
    /// What `issuer` says of `subject` to the server `audience`, its issuer identifier or its
    /// token endpoint. It is good for 5 minutes.
    #[must_use]
    pub fn new(
        issuer: impl Into<String>,
        subject: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            audience: audience.into(),
            lifetime: Duration::from_secs(300),
            extra: Map::new(),
        }
    }

    /// Sets how long it is good for.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Adds a claim of the server's own.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// The signed JWT, with the time and the randomness of `client`. It has a `jti`: sign a new
    /// one for each request.
    ///
    /// # Errors
    /// A usage error when a claim of the server's own has the name of a registered one, when it
    /// would be good for less than a second, or when there is no randomness.
    pub fn sign(&self, key: &SigningKey, client: &Client) -> Result<SecretString, Error> {
        self.sign_at(key, &**client.clock(), &**client.random())
    }

    pub(crate) fn sign_at(
        &self,
        key: &SigningKey,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<SecretString, Error> {
        let header = key
            .key_id()
            .map(|id| Map::from_iter([("kid".to_owned(), id.into())]));
        let claims = self.claims(clock, random)?;
        compact(key.algorithm().as_str(), header, claims, |message| {
            key.sign(message)
        })
    }

    pub(crate) fn claims(
        &self,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Map<String, Value>, Error> {
        if OWNED.iter().any(|name| self.extra.contains_key(*name)) {
            return Err(Error::usage(
                "an extra claim of an assertion has the name of a registered claim",
            ));
        }
        if self.lifetime.as_secs() == 0 {
            return Err(Error::usage("an assertion ends before it could be used"));
        }
        let now = numeric_date(clock.now());
        let mut claims = self.extra.clone();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.as_str().into());
        set("sub", self.subject.as_str().into());
        set("aud", self.audience.as_str().into());
        set("iat", now.into());
        set("exp", now.saturating_add(self.lifetime.as_secs()).into());
        set("jti", random::text(random)?.expose_secret().into());
        Ok(claims)
    }
}
