//! JWTs in the making.

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::Error;

/// A JWT in the compact serialization (RFC 7515 §7.1): `more` goes into its header beside `alg`.
pub(crate) fn compact(
    algorithm: &str,
    more: Option<Map<String, Value>>,
    claims: Map<String, Value>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<SecretString, Error> {
    let mut header = more.unwrap_or_default();
    header.insert("alg".to_owned(), algorithm.into());
    let part = |members| BASE64_URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
    let mut text = format!("{}.{}", part(header), part(claims));
    let signature = sign(text.as_bytes())?;
    text.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text.into())
}

/// A moment as a JWT has it (RFC 7519 §2, NumericDate), in whole seconds.
pub(crate) fn numeric_date(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
