//! The public keys of others.

use std::fmt;

use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SigningAlgorithm;
use crate::BuildError;

/// RFC 7518 §6.2.2, §6.3.2, §6.4: members that only a secret key has.
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Nobody has more keys in use at once.
const MAX_KEYS: usize = 20;

/// A public key that can check signatures.
#[derive(Clone)]
pub(crate) struct PublicKey {
    pub(crate) algorithm: SigningAlgorithm,
    pub(super) key: DecodingKey,
    id: Option<String>,
    thumbprint: String,
}

impl PublicKey {
    /// Reads a JWK (RFC 7517 §4). None for a secret or symmetric key, for one that is not for
    /// signatures, and for kinds that no [`SigningAlgorithm`] uses.
    pub(crate) fn read(jwk: &Value) -> Option<Self> {
        let members = jwk.as_object()?;
        let secret = |name: &&str| members.contains_key(*name);
        let for_signatures = members.get("use").is_none_or(|usage| usage == "sig");
        if SECRET_MEMBERS.iter().any(secret) || !for_signatures {
            return None;
        }
        let key: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        let algorithm = match &key.algorithm {
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => {
                SigningAlgorithm::Es256
            }
            AlgorithmParameters::RSA(_) => SigningAlgorithm::Rs256,
            AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => {
                SigningAlgorithm::EdDsa
            }
            _ => return None,
        };
        let fits = |alg: &Value| alg == algorithm.as_str();
        if !members.get("alg").is_none_or(fits) {
            return None;
        }
        Some(Self {
            algorithm,
            // Before the thumbprint: it quotes what is only here seen to be base64url.
            key: DecodingKey::from_jwk(&key).ok()?,
            id: key.common.key_id.clone(),
            thumbprint: key.thumbprint(ThumbprintHash::SHA256).ok()?,
        })
    }

    /// Its SHA-256 thumbprint (RFC 7638).
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

/// The public keys of a client (RFC 7517 §5).
///
/// ```
/// use oauth_server::Jwks;
/// use serde_json::json;
///
/// let jwks = Jwks::from_json(&json!({ "keys": [{
///     "kty": "OKP", "crv": "Ed25519", "kid": "1",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
/// }]}))?;
/// # let _ = jwks;
/// assert!(Jwks::from_json(&json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] })).is_err());
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Jwks {
    keys: Vec<PublicKey>,
    json: Value,
}

impl Jwks {
    /// Reads a JWK set of 1 to 20 keys.
    ///
    /// # Errors
    ///
    /// When one of them is not a public key for signatures with a [`SigningAlgorithm`].
    pub fn from_json(jwks: &Value) -> Result<Self, BuildError> {
        let keys = jwks["keys"].as_array().map(Vec::as_slice);
        let keys: Option<Vec<_>> = keys
            .filter(|keys| (1..=MAX_KEYS).contains(&keys.len()))
            .and_then(|keys| keys.iter().map(PublicKey::read).collect());
        let json = jwks.clone();
        keys.map(|keys| Self { keys, json }).ok_or(BuildError::Key)
    }

    /// Those of a published set that this server can use, at most 20; none if there is none.
    pub(crate) fn published(jwks: &Value) -> Option<Self> {
        let keys = jwks["keys"].as_array()?.iter();
        let usable = keys.filter(|key| PublicKey::read(key).is_some());
        let usable: Vec<_> = usable.take(MAX_KEYS).cloned().collect();
        Self::from_json(&serde_json::json!({ "keys": usable })).ok()
    }

    /// The key of this id, or without one the keys that may be meant.
    pub(crate) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        let meant = move |key: &&PublicKey| id.is_none() || key.id.as_deref() == id;
        self.keys.iter().filter(meant)
    }
}

impl TryFrom<Value> for Jwks {
    type Error = BuildError;

    fn try_from(jwks: Value) -> Result<Self, BuildError> {
        Self::from_json(&jwks)
    }
}

impl From<Jwks> for Value {
    fn from(jwks: Jwks) -> Self {
        jwks.json
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thumbprints = self.keys.iter().map(PublicKey::thumbprint);
        f.debug_list().entries(thumbprints).finish()
    }
}
