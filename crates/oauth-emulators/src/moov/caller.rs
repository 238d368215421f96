//! Parameters and credentials, in every form that Moov's own clients send them.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::{Moov, Refusal};
use crate::authority::form;
use crate::params::{Params, basic, content_type, media_type};

/// Key pairs that were sent, Basic first.
pub(super) type KeyPairs = Vec<(String, String)>;

/// A JSON object or a form; RFC 6749 knows the form only.
pub(super) fn body(request: &Request<Bytes>) -> Result<Params, Refusal> {
    match media_type(content_type(request)).as_str() {
        "application/json" => json(request.body()),
        "application/x-www-form-urlencoded" => Ok(Params::body(request)),
        _ => Err(Refusal::Generic("invalid_request")),
    }
}

/// Basic is read raw, as Moov's key pairs need no encoding; body credentials may come along.
pub(super) fn key_pairs(request: &Request<Bytes>, params: &Params) -> Result<KeyPairs, Refusal> {
    let mut pairs = KeyPairs::new();
    if request.headers().contains_key("authorization") {
        pairs.push(basic(request).ok_or(Refusal::UNAUTHENTICATED)?);
    }
    let (id, secret) = (params.get("client_id"), params.get("client_secret"));
    if id.is_none() && secret.is_none() {
        return Ok(pairs);
    }
    // A half alone is for the other half in Basic.
    let (known_id, known_secret) = pairs.first().cloned().unzip();
    let id = id.map(ToOwned::to_owned).or(known_id);
    let secret = secret.map(ToOwned::to_owned).or(known_secret);
    pairs.extend(id.zip(secret));
    Ok(pairs)
}

impl Moov {
    /// Every key pair sent has to be right, and they have to be of one client, whose pair it is.
    pub(super) async fn authenticate(&self, pairs: KeyPairs) -> Result<Params, Refusal> {
        let mut credentials = None;
        for (id, secret) in pairs {
            let asked = Params::default()
                .set("client_id", &id)
                .set("client_secret", &secret);
            let request = form("/token", &asked);
            self.authority.server.authenticate_client(&request).await?;
            if credentials.as_ref().is_some_and(|known| *known != asked) {
                return Err(Refusal::UNAUTHENTICATED);
            }
            credentials = Some(asked);
        }
        credentials.ok_or(Refusal::UNAUTHENTICATED)
    }
}

fn json(body: &[u8]) -> Result<Params, Refusal> {
    let invalid = || Refusal::Generic("invalid_request");
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err(invalid());
    };
    let texts = members.into_iter().filter(|(_, value)| !value.is_null());
    texts
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(invalid()),
        })
        .collect()
}
