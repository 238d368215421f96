//! Signed tokens by hand, right or wrong in every part.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::server::Tested;
use crate::Failure;

/// A client's ES256 key.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Result<Self, Failure> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        pair.map(Self).map_err(|_| failed("no key was generated"))
    }

    pub(super) fn jwk(&self) -> Value {
        // An uncompressed point (SEC 1 §2.3.3): 4, x, y.
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
    }

    /// RFC 7638.
    pub(super) fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            jwk["x"], jwk["y"]
        );
        hash(&text)
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> Result<String, Failure> {
        let message = message(header, claims);
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.map_err(|_| failed("nothing was signed"))?;
        Ok(format!("{message}.{}", encoded(signature.as_ref())))
    }
}

/// With an HS256 of this secret.
pub(super) fn with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", encoded(tag.as_ref()))
}

/// Header and claims, to which a signature belongs.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", part(header), part(claims))
}

pub(super) fn part(value: &Value) -> String {
    encoded(value.to_string().as_bytes())
}

/// The SHA-256 in base64url.
pub(super) fn hash(text: &str) -> String {
    encoded(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// A `jti` that nobody had before.
pub(super) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The value with this member, or with null in its place without it.
pub(super) fn with(value: &Value, member: &str, new: &Value) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        members.remove(member);
        if !new.is_null() {
            members.insert(member.to_owned(), new.clone());
        }
    }
    value
}

/// The server's time, in seconds since 1970.
pub(super) async fn now(tested: &Tested) -> Result<i64, Failure> {
    let standing = json!({"advance_seconds": 0});
    let answer = tested.control().post("clock", &standing).await?;
    let now = answer.json()?["now"].as_i64();
    now.ok_or_else(|| failed("the control told no time"))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn failed(what: &str) -> Failure {
    Failure::new(format!("the suite's own cryptography failed: {what}"))
}
