//! A server's public key (RFC 7517).

use aws_lc_rs::rsa::PublicKeyComponents;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::SigningAlgorithm;

/// A public key, for the one algorithm that it is good for here.
pub(crate) struct Jwk {
    key_id: Option<String>,
    public: PublicKey,
}

pub(super) enum PublicKey {
    Rsa(PublicKeyComponents<Vec<u8>>),
    /// An uncompressed point (SEC 1 §2.3.3).
    P256(Vec<u8>),
}

impl Jwk {
    /// The key in `members`; `None` for one of another kind, or for something other than
    /// signatures with RS256 or ES256. A set may have such keys (RFC 7517 §5).
    pub(super) fn from_members(members: &Map<String, Value>) -> Option<Self> {
        let text = |name| members.get(name).and_then(Value::as_str);
        let bytes = |name| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let public = match text("kty")? {
            "RSA" => PublicKey::Rsa(PublicKeyComponents {
                n: without_zeros(bytes("n")?),
                e: without_zeros(bytes("e")?),
            }),
            "EC" if text("crv") == Some("P-256") => {
                PublicKey::P256([&[4][..], &bytes("x")?, &bytes("y")?].concat())
            }
            _ => return None,
        };
        let this = Self {
            key_id: text("kid").map(str::to_owned),
            public,
        };
        let fits = |name, value| members.get(name).is_none_or(|have| have == value);
        let verifies = match members.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|have| have == "verify"),
            Some(_) => false,
        };
        (fits("use", "sig") && fits("alg", this.algorithm().as_str()) && verifies).then_some(this)
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        match self.public {
            PublicKey::Rsa(_) => SigningAlgorithm::Rs256,
            PublicKey::P256(_) => SigningAlgorithm::Es256,
        }
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// Some servers write a sign octet before a number, which RFC 7518 §6.3.1.1 forbids.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
