//! DPoP (RFC 9449): proofs of the key that a client's tokens are bound to, and the nonces that
//! servers want to see in them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    Error,
    clock::Clock,
    jose::{self, SigningKey},
    random::{self, Random},
    response::dpop_nonce,
};

/// The most servers whose nonces are kept; the one that was heard of longest ago goes first.
const SERVERS: usize = 64;

/// The key of a client's tokens, and the newest nonce of each server (RFC 9449 §8.2).
pub(crate) struct Dpop {
    key: SigningKey,
    demanded: bool,
    nonces: Mutex<VecDeque<(String, String)>>,
}

impl Dpop {
    /// Binds tokens to `key`; `demanded`: takes no others.
    pub(crate) fn new(key: SigningKey, demanded: bool) -> Self {
        Self {
            key,
            demanded,
            nonces: Mutex::default(),
        }
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    pub(crate) fn is_demanded(&self) -> bool {
        self.demanded
    }

    /// A proof for one request (RFC 9449 §4.2), with the hash of the token that goes along.
    pub(crate) fn proof(
        &self,
        method: &Method,
        url: &Url,
        token: Option<&str>,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<HeaderValue, Error> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("jti", random::text(random)?.expose_secret().into());
        set("htm", method.as_str().into());
        set("htu", target.as_str().into());
        set("iat", jose::numeric_date(clock.now()).into());
        if let Some(token) = token {
            let hash = hmac_sha256::Hash::hash(token.as_bytes());
            set("ath", BASE64_URL_SAFE_NO_PAD.encode(hash).into());
        }
        if let Some(nonce) = self.nonce(url) {
            set("nonce", nonce.into());
        }
        let mut header = Map::new();
        header.insert("typ".to_owned(), "dpop+jwt".into());
        header.insert("jwk".to_owned(), Value::Object(self.key.public_jwk()));
        let algorithm = self.key.algorithm().as_str();
        let proof = jose::compact(algorithm, Some(header), claims, |message| {
            self.key.sign(message)
        })?;
        let mut value = HeaderValue::from_str(proof.expose_secret())
            .map_err(|_| Error::usage("the proof cannot go into a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Keeps the nonce that a server named for its next proof; whether it did.
    pub(crate) fn remember(&self, url: &Url, headers: &HeaderMap) -> bool {
        let Some(nonce) = dpop_nonce(headers) else {
            return false;
        };
        let origin = url.origin().ascii_serialization();
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.retain(|(have, _)| *have != origin);
        if nonces.len() >= SERVERS {
            nonces.pop_front();
        }
        nonces.push_back((origin, nonce.to_owned()));
        true
    }

    fn nonce(&self, url: &Url) -> Option<String> {
        let origin = url.origin().ascii_serialization();
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let found = nonces.iter().find(|(have, _)| *have == origin);
        found.map(|(_, nonce)| nonce.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_nonce_of_each_server_is_kept_of_so_many() {
        let dpop = Dpop::new(SigningKey::generate().unwrap(), true);
        let url = |host: usize| Url::parse(&format!("https://h{host}.example/a?b")).unwrap();
        let remember = |host, nonce: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("dpop-nonce", nonce.parse().unwrap());
            dpop.remember(&url(host), &headers)
        };
        for host in 0..SERVERS {
            assert!(remember(host, "old"));
        }
        assert!(remember(0, "new"));
        assert!(!remember(0, "not one"));
        assert!(remember(SERVERS, "one-more"));
        assert_eq!(dpop.nonce(&url(0)).as_deref(), Some("new"));
        assert_eq!(dpop.nonce(&url(1)), None, "the one heard of longest ago");
        assert_eq!(dpop.nonce(&url(2)).as_deref(), Some("old"));
        let port = Url::parse("https://h0.example:444/").unwrap();
        assert_eq!(dpop.nonce(&port), None, "another origin");
    }
}
