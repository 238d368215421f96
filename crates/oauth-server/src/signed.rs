//! Tokens that are read by others than the server: signed access tokens (RFC 9068) and ID tokens
//! (OpenID Connect Core §2).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::{AccessTokenRecord, AuthorizationServer, ContextError, SigningAlgorithm, issue::later};

/// The scope that makes a request one of OpenID Connect.
pub(crate) const OPENID: &str = "openid";

impl AuthorizationServer {
    /// A signed access token (RFC 9068 §2) with this `jti`. It is stored and can be revoked like
    /// any other.
    pub(crate) fn signed_access_token(
        &self,
        jti: &str,
        record: &AccessTokenRecord,
    ) -> Result<String, ContextError> {
        let keys = self.signing_keys();
        let keys = keys.ok_or_else(|| ContextError::new("there is no key to sign with"))?;
        let mut claims = object(json!({
            "iss": self.issuer(),
            "sub": record.subject().unwrap_or(record.client_id()),
            // RFC 9068 §3: without a resource, a default one.
            "aud": audience(record.audience()).unwrap_or_else(|| self.issuer().into()),
            "client_id": record.client_id(),
            "iat": seconds(record.issued_at),
            "exp": seconds(record.expires_at),
            "jti": jti,
        }));
        if !record.scope().is_empty() {
            claims.insert("scope".to_owned(), record.scope().to_string().into());
        }
        if let Some(auth_time) = record.grant.auth_time {
            claims.insert("auth_time".to_owned(), seconds(auth_time).into());
        }
        if let Some(jkt) = &record.jkt {
            claims.insert("cnf".to_owned(), json!({ "jkt": jkt }));
        }
        keys.current().sign("at+jwt", &claims)
    }

    /// The ID token that goes with an access token: for a person, where `openid` was granted and
    /// there is a key.
    pub(crate) fn new_id_token(
        &self,
        access_token: &str,
        record: &AccessTokenRecord,
        nonce: Option<&str>,
    ) -> Result<Option<String>, ContextError> {
        let asked = record.scope().contains(OPENID);
        let (Some(keys), Some(subject), true) = (self.signing_keys(), record.subject(), asked)
        else {
            return Ok(None);
        };
        let key = keys.current();
        let mut claims = object(json!({
            "iss": self.issuer(),
            "sub": subject,
            "aud": record.client_id(),
            "iat": seconds(record.issued_at),
            "exp": seconds(later(record.issued_at, self.id_token_lifetime())?),
            "at_hash": left_half(access_token, key.algorithm()),
        }));
        if let Some(auth_time) = record.grant.auth_time {
            claims.insert("auth_time".to_owned(), seconds(auth_time).into());
        }
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        key.sign("JWT", &claims).map(Some)
    }
}

/// `aud`: none, one text, or several.
pub(crate) fn audience(resources: &[String]) -> Option<Value> {
    match resources {
        [] => None,
        [one] => Some(one.as_str().into()),
        several => Some(several.into()),
    }
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// OpenID Connect Core §3.1.3.6: with the hash function of the signature.
fn left_half(access_token: &str, algorithm: SigningAlgorithm) -> String {
    let hash = match algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::Rs256 => Sha256::digest(access_token).to_vec(),
        SigningAlgorithm::EdDsa => Sha512::digest(access_token).to_vec(),
    };
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
