//! A key the server signs with.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jsonwebtoken::{
    EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::SigningAlgorithm;
use crate::{BuildError, ContextError, Random};

/// PKCS#8 around the 32 bytes of a P-256 key (RFC 5915 §3), without its public half.
const P256: &[u8] = &[
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// PKCS#8 around the 32 bytes of an Ed25519 key (RFC 8410 §7).
const ED25519: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key that signs tokens. Its id (`kid`) is its thumbprint (RFC 7638).
///
/// ```
/// use oauth_server::{OsRandom, SigningAlgorithm, SigningKey};
/// use secrecy::ExposeSecret;
///
/// let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
/// // Stored where only the server reads it, it is the same key after a restart.
/// let read = SigningKey::from_pem(key.to_pem().expose_secret())?;
/// assert_eq!(read.id(), key.id());
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    key: EncodingKey,
    pem: SecretString,
    public: Jwk,
    id: String,
}

impl SigningKey {
    /// A new key. The primes of an RSA key of 2048 bits are always chosen with the operating
    /// system's randomness; the others are made of `random`.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn generate(algorithm: SigningAlgorithm, random: &dyn Random) -> Result<Self, BuildError> {
        let prefix = match algorithm {
            SigningAlgorithm::Es256 => P256,
            SigningAlgorithm::EdDsa => ED25519,
            SigningAlgorithm::Rs256 => return Self::generate_rsa(),
        };
        // One in 2^32 numbers of 256 bits is no key of P-256.
        for _ in 0..4 {
            let mut der = Zeroizing::new(prefix.to_vec());
            der.resize(prefix.len() + 32, 0);
            random.fill(&mut der[prefix.len()..])?;
            if let Ok(key) = Self::from_pem(&pem(&der)) {
                return Ok(key);
            }
        }
        Err(ContextError::new("the randomness makes no key").into())
    }

    fn generate_rsa() -> Result<Self, BuildError> {
        let failed = |_| ContextError::new("no RSA key was found");
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
        Self::from_pem(&pem(der.as_ref()))
    }

    /// Reads a private key in PKCS#8 (`BEGIN PRIVATE KEY`), or an RSA key in PKCS#1. Its kind
    /// names the algorithm.
    ///
    /// # Errors
    ///
    /// When it is no P-256, Ed25519, or RSA key of 2048 to 8192 bits.
    pub fn from_pem(pem: &str) -> Result<Self, BuildError> {
        let bytes = pem.as_bytes();
        let read = [
            (SigningAlgorithm::Es256, EncodingKey::from_ec_pem(bytes)),
            (SigningAlgorithm::EdDsa, EncodingKey::from_ed_pem(bytes)),
            (SigningAlgorithm::Rs256, EncodingKey::from_rsa_pem(bytes)),
        ];
        for (algorithm, key) in read {
            if let Ok(key) = key
                && let Ok(mut public) = Jwk::from_encoding_key(&key, algorithm.backend())
                && let Ok(id) = public.thumbprint(ThumbprintHash::SHA256)
            {
                public.common.key_id = Some(id.clone());
                public.common.public_key_use = Some(PublicKeyUse::Signature);
                let pem = pem.into();
                let made = Self {
                    algorithm,
                    key,
                    pem,
                    public,
                    id,
                };
                // A key that is too short is only noticed when it signs.
                made.sign("JWT", &Map::new()).map_err(|_| BuildError::Key)?;
                return Ok(made);
            }
        }
        Err(BuildError::Key)
    }

    /// The key as PEM, to be kept where only the server reads it.
    pub fn to_pem(&self) -> SecretString {
        self.pem.expose_secret().into()
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Its id (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its public half as a JWK.
    pub(super) fn public(&self) -> Value {
        json!(self.public)
    }

    /// A JWT of this kind (`typ`).
    pub(crate) fn sign(
        &self,
        kind: &str,
        claims: &Map<String, Value>,
    ) -> Result<String, ContextError> {
        let mut header = Header::new(self.algorithm.backend());
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.id.clone());
        let signed = jsonwebtoken::encode(&header, claims, &self.key);
        signed.map_err(|error| ContextError::new("signing failed").with_source(error))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// RFC 7468 §10.
fn pem(der: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        OsRandom,
        jose::{Jws, PublicKey},
    };

    /// Gives first what is no key, then the same key always.
    #[derive(Debug, Default)]
    struct Fixed(std::sync::atomic::AtomicBool);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), ContextError> {
            let again = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
            bytes.fill(if again { 7 } else { 0xff });
            Ok(())
        }
    }

    #[test]
    fn every_algorithm_signs_what_its_public_half_verifies() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, &OsRandom).unwrap();
            let claims = Map::from_iter([("sub".to_owned(), json!("ada"))]);
            let token = key.sign("at+jwt", &claims).unwrap();
            let jws = Jws::read(&token).unwrap();
            assert_eq!(jws.header_text("typ"), Some("at+jwt"));
            assert_eq!(jws.header_text("alg"), Some(algorithm.as_str()));
            assert_eq!(jws.header_text("kid"), Some(key.id()));
            let public = PublicKey::read(&key.public()).unwrap();
            assert_eq!(public.thumbprint(), key.id());
            assert_eq!(jws.verified(&public), Some(claims), "{algorithm}");
            let other = SigningKey::generate(algorithm, &OsRandom).unwrap();
            let other = PublicKey::read(&other.public()).unwrap();
            assert_eq!(jws.verified(&other), None, "{algorithm}");
        }
    }

    #[test]
    fn keys_come_from_the_given_randomness() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
            let one = SigningKey::generate(algorithm, &Fixed::default()).unwrap();
            let same = SigningKey::generate(algorithm, &Fixed::default()).unwrap();
            let first_is_a_key = algorithm == SigningAlgorithm::EdDsa;
            assert!(one.id() == same.id() || first_is_a_key, "{algorithm}");
            let read = SigningKey::from_pem(one.to_pem().expose_secret()).unwrap();
            assert_eq!((read.id(), read.algorithm()), (one.id(), algorithm));
        }
    }

    #[test]
    fn nothing_else_is_a_key_and_none_is_shown() {
        let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom).unwrap();
        let pem = key.to_pem().expose_secret().to_owned();
        for bad in ["", "secret", &pem[..60], &pem.replace("PRIVATE", "PUBLIC")] {
            assert!(matches!(SigningKey::from_pem(bad), Err(BuildError::Key)));
        }
        let inner = pem.lines().nth(1).unwrap();
        assert!(!format!("{key:?}").contains(inner));
        assert!(!key.public().to_string().contains("\"d\""));
    }
}
