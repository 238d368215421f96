//! A signed JWT taken apart (RFC 7515 §7.1), strictly; nothing in it is true before it is verified.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::jwk::{Jwk, PublicKey};
use crate::{Error, SigningAlgorithm, response::object};

pub(super) struct Jws<'a> {
    algorithm: SigningAlgorithm,
    key_id: Option<String>,
    claims: Map<String, Value>,
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes `text` apart. Its algorithm must be one of `allowed`: what the token says of itself
    /// only chooses among them (RFC 8725 §3.1).
    pub(super) fn parse(text: &'a str, allowed: &[SigningAlgorithm]) -> Result<Self, Error> {
        let malformed =
            || Error::protocol("the id token is not a signed JWT (RFC 7515 section 7.1)");
        let decode = |part| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let (message, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        let members = |part| object(&decode(part)?).ok();
        let header = members(header).ok_or_else(malformed)?;
        let claims = members(claims).ok_or_else(malformed)?;
        let signature = decode(signature).ok_or_else(malformed)?;

        if header.contains_key("crit") {
            return Err(Error::protocol(
                "the id token has a critical extension, and none is known here (RFC 7515 section 4.1.11)",
            ));
        }
        if header.get("typ").is_some_and(|typ| !is_jwt(typ)) {
            return Err(Error::protocol(
                "the id token's header says that it is something else (RFC 8725 section 3.11)",
            ));
        }
        let named = header.get("alg");
        let algorithm = allowed
            .iter()
            .find(|algorithm| named.is_some_and(|name| name == algorithm.as_str()));
        let algorithm = *algorithm.ok_or_else(|| {
            Error::protocol("the id token is signed with an algorithm that is not allowed (RFC 8725 section 3.1)")
        })?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(key_id)) => Some(key_id.clone()),
            Some(_) => return Err(malformed()),
        };
        Ok(Self {
            algorithm,
            key_id,
            claims,
            message: message.as_bytes(),
            signature,
        })
    }

    /// Whether the token says that this key signed it, and the key can have.
    pub(super) fn names(&self, key: &Jwk) -> bool {
        key.algorithm() == self.algorithm
            && (self.key_id.is_none() || self.key_id.as_deref() == key.key_id())
    }

    /// The claims, if `key` signed them.
    pub(super) fn verify(self, key: &Jwk) -> Result<Map<String, Value>, Error> {
        let good = match key.public() {
            PublicKey::Rsa(key) => key
                .verify(&RSA_PKCS1_2048_8192_SHA256, self.message, &self.signature)
                .is_ok(),
            PublicKey::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(self.message, &self.signature)
                .is_ok(),
        };
        if !good || !self.names(key) {
            return Err(Error::protocol("the id token's signature is wrong"));
        }
        Ok(self.claims)
    }
}

fn is_jwt(typ: &Value) -> bool {
    typ.as_str().is_some_and(|typ| {
        typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt")
    })
}
