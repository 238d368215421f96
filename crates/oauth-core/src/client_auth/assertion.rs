//! Authentication by a JWT (RFC 7523 §2.2): a new one for each request, for one server only.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::ClientAuthMethod;
use crate::{
    Error, Params,
    clock::Clock,
    jose::{self, Assertion, SigningKey},
    random::Random,
};

/// The value of `client_assertion_type` (RFC 7523 §2.2).
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The shortest secret for HS256: as long as the hash (RFC 7518 §3.2), in bytes.
const SHORTEST: usize = 32;

/// What the JWT is signed with.
#[derive(Debug)]
pub(crate) enum AssertionKey {
    /// `private_key_jwt`.
    Private(SigningKey),
    /// `client_secret_jwt`: with the client's secret.
    Secret,
}

impl AssertionKey {
    /// The one that fits what the client was given; `None` when it authenticates in another way.
    pub(crate) fn choose(
        key: Option<SigningKey>,
        method: Option<ClientAuthMethod>,
        usual: ClientAuthMethod,
        secret: Option<&SecretString>,
    ) -> Result<Option<Self>, Error> {
        match (key, method) {
            (Some(_), _) if secret.is_some() => Err(Error::usage(
                "there are both a client secret and a client key; a client authenticates in one way (RFC 6749 section 2.3)",
            )),
            (Some(key), None | Some(ClientAuthMethod::PrivateKeyJwt)) => {
                Ok(Some(Self::Private(key)))
            }
            (Some(_), Some(_)) => Err(Error::usage(
                "there is a client key but the method uses none; drop one of them",
            )),
            (None, method) => match (method.unwrap_or(usual), secret) {
                (ClientAuthMethod::ClientSecretJwt, Some(secret))
                    if secret.expose_secret().len() >= SHORTEST =>
                {
                    Ok(Some(Self::Secret))
                }
                (ClientAuthMethod::ClientSecretJwt, Some(_)) => Err(Error::usage(
                    "the client secret is shorter than the 32 bytes that HS256 needs (RFC 7518 section 3.2)",
                )),
                // Whatever is missing for another method, its own checks say it.
                _ => Ok(None),
            },
        }
    }
}

/// Makes the JWTs that a client authenticates with.
pub(crate) struct ClientAssertion {
    pub(crate) key: AssertionKey,
    pub(crate) audience: String,
    pub(crate) lifetime: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl ClientAssertion {
    pub(super) fn method(&self) -> ClientAuthMethod {
        match self.key {
            AssertionKey::Private(_) => ClientAuthMethod::PrivateKeyJwt,
            AssertionKey::Secret => ClientAuthMethod::ClientSecretJwt,
        }
    }

    /// Puts the client and a new JWT into the parameters of a request.
    pub(super) fn apply(
        &self,
        client_id: &str,
        secret: Option<&SecretString>,
        params: &mut Params,
    ) -> Result<(), Error> {
        let assertion =
            Assertion::new(client_id, client_id, &self.audience).with_lifetime(self.lifetime);
        let jwt = match (&self.key, secret) {
            (AssertionKey::Private(key), _) => {
                assertion.sign_at(key, &*self.clock, &*self.random)?
            }
            (AssertionKey::Secret, secret) => {
                let secret = secret.map(ExposeSecret::expose_secret).unwrap_or_default();
                let claims = assertion.claims(&*self.clock, &*self.random)?;
                jose::compact("HS256", None, claims, |message| {
                    Ok(hmac_sha256::HMAC::mac(message, secret).to_vec())
                })?
            }
        };
        params.push("client_id", client_id);
        params.push("client_assertion_type", TYPE);
        params.push_secret("client_assertion", &jwt);
        Ok(())
    }
}

impl fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertion")
            .field("key", &self.key)
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
