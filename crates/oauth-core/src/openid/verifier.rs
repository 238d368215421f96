//! The checks of an id token (OpenID Connect Core §3.1.3.7), in the order of that section.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Claims, Expected, jws::Jws};
use crate::{Client, Error, SigningAlgorithm};

/// Verifies the id tokens of a client's server. [`Client::id_token_verifier`] makes one.
#[derive(Debug, Clone)]
pub struct IdTokenVerifier {
    client: Client,
    issuer: String,
    skew: Duration,
    algorithms: Vec<SigningAlgorithm>,
    max_size: usize,
}

impl IdTokenVerifier {
    pub(crate) fn new(client: Client, issuer: String) -> Self {
        Self {
            client,
            issuer,
            skew: Duration::from_secs(60),
            algorithms: vec![SigningAlgorithm::Rs256, SigningAlgorithm::Es256],
            max_size: 16 * 1024,
        }
    }

    /// Sets how far the server's clock may be off, 60 s otherwise.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Sets the algorithms that are taken, otherwise RS256 and ES256: the one that the client is
    /// registered for is enough.
    #[must_use]
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
    ) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets how long an id token may be, in bytes, 16 KiB otherwise.
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// The claims of an id token, if everything about it is right.
    ///
    /// # Errors
    /// A protocol error that says which check failed and repeats nothing of the token; what can
    /// happen when the server's keys are fetched.
    pub async fn verify(&self, id_token: &str, expected: &Expected) -> Result<Claims, Error> {
        if id_token.len() > self.max_size {
            return Err(Error::protocol("the id token is longer than the limit"));
        }
        let jws = Jws::parse(id_token, &self.algorithms)?;
        let keys = self.client.server_keys(|key| jws.names(key)).await?;
        let members = match keys.as_slice() {
            [key] => jws.verify(key)?,
            [] => {
                return Err(Error::protocol(
                    "the id token is signed with a key that the server does not publish",
                ));
            }
            _ => {
                return Err(Error::protocol(
                    "the id token does not say which of the server's keys signed it (OpenID Connect Core section 10.1)",
                ));
            }
        };
        self.check(members, expected, self.client.clock().now())
    }

    fn check(
        &self,
        members: Map<String, Value>,
        expected: &Expected,
        now: SystemTime,
    ) -> Result<Claims, Error> {
        let claims = Claims::new(members);
        let wrong = |what: &'static str| Err(Error::protocol(what));
        if claims.text("iss") != Some(&self.issuer) {
            return wrong("the id token is of another issuer");
        }
        if claims.subject().is_empty() {
            return wrong("the id token has no subject");
        }
        if !is_text_or_texts(claims.get("aud")) || !self.is_for_client(&claims) {
            return wrong("the id token is for another client");
        }
        match claims.get("azp") {
            None if claims.audience().count() > 1 => {
                return wrong(
                    "the id token is for several, and does not say to whom it was issued",
                );
            }
            Some(azp) if azp != self.client.client_id() => {
                return wrong("the id token was issued to another client");
            }
            _ => {}
        }
        self.check_times(&claims, expected, now)?;
        check_nonce(&claims, expected)?;
        if let (Some(hash), Some(token)) = (claims.get("at_hash"), &expected.access_token)
            && hash != &half_hash(token.expose_secret())
        {
            return wrong("the id token belongs to another access token");
        }
        if let Some(previous) = &expected.previous {
            check_same(&claims, previous)?;
        }
        Ok(claims)
    }

    fn is_for_client(&self, claims: &Claims) -> bool {
        claims
            .audience()
            .any(|audience| audience == self.client.client_id())
    }

    fn check_times(
        &self,
        claims: &Claims,
        expected: &Expected,
        now: SystemTime,
    ) -> Result<(), Error> {
        let wrong = |what: &'static str| Err(Error::protocol(what));
        // A moment that no clock can show is as far away as one can be.
        let passed = |moment: SystemTime| {
            let end = moment.checked_add(self.skew);
            end.is_some_and(|end| end <= now)
        };
        let ahead = |moment: SystemTime| {
            let latest = now.checked_add(self.skew);
            latest.is_some_and(|latest| moment > latest)
        };
        match claims.expires_at() {
            None => return wrong("the id token does not say when it ends"),
            Some(end) if passed(end) => return wrong("the id token has ended"),
            Some(_) => {}
        }
        match claims.issued_at() {
            None => return wrong("the id token does not say when it was made"),
            Some(made) if ahead(made) => return wrong("the id token was made in the future"),
            Some(_) => {}
        }
        if claims.get("nbf").is_some() && claims.time("nbf").is_none_or(ahead) {
            return wrong("the id token is not good yet");
        }
        if claims.get("auth_time").is_some() && claims.auth_time().is_none_or(ahead) {
            return wrong("the id token says that the user will authenticate");
        }
        match (expected.max_age, claims.auth_time()) {
            (Some(_), None) => wrong("the id token does not say when the user authenticated"),
            (Some(max_age), Some(then)) if then.checked_add(max_age).is_some_and(passed) => {
                wrong("the user authenticated too long ago")
            }
            _ => Ok(()),
        }
    }
}

fn check_nonce(claims: &Claims, expected: &Expected) -> Result<(), Error> {
    // A refresh brings none, or the one of the first id token (OpenID Connect Core §12.2).
    let before = expected
        .previous
        .as_ref()
        .and_then(|claims| claims.get("nonce"));
    let same = match (claims.get("nonce"), &expected.nonce) {
        (Some(nonce), Some(sent)) => nonce == sent,
        (Some(nonce), None) => before == Some(nonce),
        (None, sent) => sent.is_none(),
    };
    if same {
        return Ok(());
    }
    Err(Error::protocol(
        "the id token's nonce is missing, or not the one that was sent: it may belong to another browser",
    ))
}

/// OpenID Connect Core §12.2.
fn check_same(claims: &Claims, previous: &Claims) -> Result<(), Error> {
    let same = |name| claims.get(name) == previous.get(name);
    let same_if_there = |name| claims.get(name).is_none() || same(name);
    let mut audience = previous.audience();
    if same("iss")
        && same("sub")
        && same("azp")
        && same_if_there("auth_time")
        && audience.all(|before| claims.audience().any(|now| now == before))
    {
        return Ok(());
    }
    Err(Error::protocol(
        "the refreshed id token is of another user, client or authentication than the one before (OpenID Connect Core section 12.2)",
    ))
}

fn is_text_or_texts(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(_)) => true,
        Some(Value::Array(items)) => items.iter().all(Value::is_string),
        _ => false,
    }
}

/// The left half of the SHA-256 of an access token (OpenID Connect Core §3.1.3.6): what RS256 and
/// ES256 have `at_hash` made with.
fn half_hash(token: &str) -> String {
    let hash = hmac_sha256::Hash::hash(token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}
