//! Signed tokens as a client makes them, right or wrong in every part.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use oauth_server::{OsRandom, SigningAlgorithm, SigningKey, SigningKeys};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// A key of a client.
pub(crate) struct Key {
    pub(crate) key: SigningKey,
    encoding: EncodingKey,
    algorithm: Algorithm,
}

impl Key {
    pub(crate) fn new(algorithm: SigningAlgorithm) -> Self {
        let key = SigningKey::generate(algorithm, &OsRandom).unwrap();
        let pem = key.to_pem();
        let pem = pem.expose_secret().as_bytes();
        let (encoding, algorithm) = match algorithm {
            SigningAlgorithm::Es256 => (EncodingKey::from_ec_pem(pem), Algorithm::ES256),
            SigningAlgorithm::Rs256 => (EncodingKey::from_rsa_pem(pem), Algorithm::RS256),
            _ => (EncodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        };
        Self {
            key,
            encoding: encoding.unwrap(),
            algorithm,
        }
    }

    /// Its public half, without anything that is not part of the key.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = SigningKeys::new([self.key.clone()]).unwrap().jwks()["keys"][0].take();
        for name in ["alg", "use", "kid"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        jwk
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.algorithm);
        format!("{message}.{}", signature.unwrap())
    }
}

/// An HS256 over it.
pub(crate) fn sign_with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.unwrap())
}

pub(crate) fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Header and claims of a token that one of these keys (a JWK set) signed.
pub(crate) fn verified(token: &str, jwks: &Value) -> (Value, Value) {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let kid = header.kid.as_deref().unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == kid).expect("its key");
    let key = serde_json::from_value(key.clone()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(&key).unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation);
    (json!(header), claims.unwrap().claims)
}

/// The value with this member, or without it.
pub(crate) fn with(value: &Value, member: &str, new: impl Into<Option<Value>>) -> Value {
    let mut value = value.clone();
    match new.into() {
        Some(new) => value[member] = new,
        None => drop(value.as_object_mut().unwrap().remove(member)),
    }
    value
}
