//! Proofs of possession (RFC 9449): tokens that are of use to the holder of a key only.

use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::{
    AuthorizationServer, Client, ErrorCode, OAuthError, Source, TokenHash,
    issue::later,
    jose::{Jws, PublicKey},
};

mod nonce;

pub(crate) use nonce::Nonces;

/// How far the clocks of client and server may differ, and how long a proof may travel.
const WINDOW: Duration = Duration::from_secs(60);

/// A client proves its key with each request, and starts less often: so many times.
const PROOFS: u32 = 10;

/// What a proof must fit to.
struct Expected<'a> {
    method: &'a Method,
    url: &'a str,
    access_token: Option<&'a str>,
    nonce_required: bool,
}

impl AuthorizationServer {
    /// The thumbprint of the key that the tokens are to be bound to, if there is a proof.
    pub(crate) async fn dpop_at_token_endpoint(
        &self,
        request: &Request<Bytes>,
        client: &Client,
    ) -> Result<Option<String>, OAuthError> {
        // The boxed future is large, and seldom wanted.
        let proved = match request.headers().contains_key("dpop") {
            true => {
                let source = Source::of(request);
                self.check_public("DPoP proof", PROOFS, client, source)?;
                Box::pin(self.dpop_at_endpoint(request, "/token", client)).await?
            }
            false => None,
        };
        match proved {
            None if client.dpop_bound_access_tokens() => Err(refused("the DPoP proof is missing")),
            jkt => Ok(jkt),
        }
    }

    /// The thumbprint of the key that this request was proved with, if there is a proof.
    pub(crate) async fn dpop_at_endpoint(
        &self,
        request: &Request<Bytes>,
        path: &str,
        client: &Client,
    ) -> Result<Option<String>, OAuthError> {
        let expected = Expected {
            method: request.method(),
            url: &self.endpoint(path),
            access_token: None,
            nonce_required: self.needs_dpop_nonce(client),
        };
        self.dpop_proof(request.headers(), &expected, client).await
    }

    /// The thumbprint of the key that a request with this access token was proved with.
    pub(crate) async fn dpop_at_resource(
        &self,
        request: &Request<Bytes>,
        url: &str,
        access_token: &str,
        client: &Client,
    ) -> Result<String, OAuthError> {
        let expected = Expected {
            method: request.method(),
            url,
            access_token: Some(access_token),
            nonce_required: self.needs_dpop_nonce(client),
        };
        let jkt = self
            .dpop_proof(request.headers(), &expected, client)
            .await?;
        jkt.ok_or_else(|| refused("the DPoP proof is missing"))
    }

    fn needs_dpop_nonce(&self, client: &Client) -> bool {
        self.require_dpop_nonce() || client.requires_dpop_nonce()
    }

    /// RFC 9449 §4.3.
    async fn dpop_proof(
        &self,
        headers: &HeaderMap,
        expected: &Expected<'_>,
        client: &Client,
    ) -> Result<Option<String>, OAuthError> {
        let mut proofs = headers.get_all("dpop").iter();
        let proof = match (proofs.next(), proofs.next()) {
            (None, _) => return Ok(None),
            (Some(proof), None) => proof.to_str().unwrap_or_default(),
            _ => return Err(refused("there is more than one DPoP proof")),
        };
        let (key, claims) = signed(proof).ok_or_else(|| refused("the DPoP proof is malformed"))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let jti = text("jti").filter(|jti| !jti.is_empty());
        let (Some(jti), Some(method), Some(url), Some(issued_at)) = (
            jti,
            text("htm"),
            text("htu"),
            claims.get("iat").and_then(Value::as_f64),
        ) else {
            return Err(refused("a claim of the DPoP proof is missing"));
        };
        if method != expected.method.as_str() || !same_url(url, expected.url) {
            return Err(refused("the DPoP proof is for another request"));
        }
        if let Some(token) = expected.access_token {
            let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token));
            let given = text("ath").unwrap_or_default();
            if !bool::from(hash.as_bytes().ct_eq(given.as_bytes())) {
                return Err(refused("the DPoP proof is for another access token"));
            }
        }

        let now = self.now();
        // How long the same proof could pass again.
        let life = if expected.nonce_required {
            // A nonce tells the age by the server's own clock (RFC 9449 §11.1).
            if !text("nonce").is_some_and(|nonce| self.dpop_nonces().is_live(nonce, now)) {
                let fresh = self.dpop_nonces().fresh(self.random(), now)?;
                return Err(OAuthError::use_dpop_nonce(fresh));
            }
            nonce::LIFE
        } else {
            let clock = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            if (issued_at - clock.as_secs_f64()).abs() >= WINDOW.as_secs_f64() {
                return Err(refused("the DPoP proof is too old or from the future"));
            }
            2 * WINDOW
        };
        let jkt = key.thumbprint();
        let id = TokenHash::of(&format!("dpop\0{jkt}\0{jti}"));
        let until = later(now, life)?;
        match self.jwt_ids().consume(client.id(), &id, until, now).await? {
            true => Ok(Some(jkt.to_owned())),
            false => Err(refused("the DPoP proof was used already")),
        }
    }
}

/// The key in the proof, and the claims that it signed.
fn signed(proof: &str) -> Option<(PublicKey, Map<String, Value>)> {
    let jws = Jws::read(proof)?;
    let kind = jws.header_text("typ")?;
    if !kind.eq_ignore_ascii_case("dpop+jwt") {
        return None;
    }
    let key = PublicKey::read(jws.header("jwk")?)?;
    let claims = jws.verified(&key)?;
    Some((key, claims))
}

/// RFC 9449 §4.3: without query and fragment, normalized (RFC 3986 §6.2.2, §6.2.3).
fn same_url(one: &str, other: &str) -> bool {
    let normal = |url: &str| {
        let mut url = Url::parse(url).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    normal(one).is_some_and(|one| Some(one) == normal(other))
}

fn refused(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidDpopProof, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_in_their_normal_form() {
        let url = "https://auth.example/token";
        for same in [
            url,
            "https://auth.example/token?x=1",
            "https://auth.example/token#part",
            "HTTPS://AUTH.example:443/token",
            "https://auth.example/a/../token",
        ] {
            assert!(same_url(same, url), "{same}");
        }
        for other in [
            "",
            "/token",
            "http://auth.example/token",
            "https://auth.example:444/token",
            "https://auth.example/token/",
            "https://auth.example.evil.example/token",
        ] {
            assert!(!same_url(other, url), "{other}");
        }
    }
}
