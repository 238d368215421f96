//! Signed tokens of others: read first, believed once a key of theirs fits.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::PublicKey;

/// A compact JWS (RFC 7515 §7.1) whose signature is still to be checked.
pub(crate) struct Jws<'t> {
    token: &'t str,
    header: Map<String, Value>,
}

impl<'t> Jws<'t> {
    /// Reads the header. None for what is no JWS, or demands extensions (`crit`), of which none
    /// is known here (RFC 7515 §4.1.11).
    pub(crate) fn read(token: &'t str) -> Option<Self> {
        let (header, rest) = token.split_once('.')?;
        if rest.split('.').count() != 2 {
            return None;
        }
        let header = json(header)?;
        (!header.contains_key("crit")).then_some(Self { token, header })
    }

    /// A member of the header.
    pub(crate) fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    /// A member of the header that is text.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name)?.as_str()
    }

    /// A claim as it stands there, believed by nobody yet: to find the key with.
    pub(crate) fn alleged(&self, claim: &str) -> Option<String> {
        let payload = json(self.token.split('.').nth(1)?)?;
        payload.get(claim)?.as_str().map(str::to_owned)
    }

    /// The claims, if this key signed them with the algorithm that belongs to it: what the
    /// header says decides nothing (RFC 8725 §3.1).
    pub(crate) fn verified(&self, key: &PublicKey) -> Option<Map<String, Value>> {
        self.claims(&key.key, key.algorithm.backend())
    }

    /// The claims, if they carry an HS256 of this secret.
    pub(crate) fn verified_with_secret(&self, secret: &str) -> Option<Map<String, Value>> {
        self.claims(
            &DecodingKey::from_secret(secret.as_bytes()),
            Algorithm::HS256,
        )
    }

    fn claims(&self, key: &DecodingKey, algorithm: Algorithm) -> Option<Map<String, Value>> {
        // Times are judged by whoever asked, with the server's clock.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = jsonwebtoken::decode(self.token, key, &validation);
        decoded.ok().map(|token| token.claims)
    }
}

fn json(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
