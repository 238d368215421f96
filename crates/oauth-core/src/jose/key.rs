//! A private key that signs.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{SigningAlgorithm, pem};
use crate::{Error, response::object};

/// A private key, RSA or P-256. Cheap to clone; nothing but [`SigningKey::to_pem`] gives it away.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    key_id: Option<String>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// A new P-256 key, from the cryptographic library's own generator: for DPoP, where no server
    /// knows the key beforehand.
    ///
    /// # Errors
    /// A usage error when the operating system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(|pair| Self::of(Pair::Ec(pair)))
            .map_err(|_| Error::usage("no key could be generated"))
    }

    /// The first private key in a PEM text: PKCS#8, or the older forms of RSA and EC keys. A key
    /// with a pass phrase must be decrypted before.
    ///
    /// # Errors
    /// A usage error, which repeats nothing of the key, when there is none that can sign here.
    pub fn from_pem(text: &SecretString) -> Result<Self, Error> {
        let read = || {
            let (label, der) = pem::private_key(text.expose_secret())?;
            match label {
                "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der)
                    .ok()
                    .map(Pair::Rsa)
                    .or_else(|| {
                        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
                        pair.ok().map(Pair::Ec)
                    }),
                "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok().map(Pair::Rsa),
                "EC PRIVATE KEY" => {
                    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                    let pair = EcdsaKeyPair::from_private_key_der(algorithm, &der);
                    pair.ok().map(Pair::Ec)
                }
                _ => None,
            }
        };
        read().map(Self::of).ok_or_else(|| {
            Error::usage("the PEM text has no RSA key of 2048 bits or more and no P-256 key")
        })
    }

    /// The private key in a JWK (RFC 7517): `RSA` with all its factors, or `EC` with `P-256`. Its
    /// `kid` is kept.
    ///
    /// # Errors
    /// A usage error, which repeats nothing of the key, when it cannot sign here or says that it
    /// is for something else.
    pub fn from_jwk(text: &SecretString) -> Result<Self, Error> {
        let read = || {
            let members = object(text.expose_secret().as_bytes()).ok()?;
            let pair = match members.get("kty")?.as_str()? {
                "RSA" => Pair::Rsa(rsa(&members)?),
                "EC" => Pair::Ec(ec(&members)?),
                _ => return None,
            };
            let mut key = Self::of(pair);
            let fits = |name, value| members.get(name).is_none_or(|have| have == value);
            if !fits("use", "sig") || !fits("alg", key.algorithm().as_str()) {
                return None;
            }
            key.key_id = members
                .get("kid")
                .and_then(Value::as_str)
                .map(str::to_owned);
            Some(key)
        };
        read().ok_or_else(|| {
            Error::usage("the JWK is no private RSA key of 2048 bits or more and no P-256 key, or it is not for signing")
        })
    }

    fn of(pair: Pair) -> Self {
        Self {
            pair: Arc::new(pair),
            key_id: None,
        }
    }

    /// Sets the name that the server knows the key by (RFC 7515 §4.1.4, `kid`).
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The name that the server knows the key by.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        match &*self.pair {
            Pair::Rsa(_) => SigningAlgorithm::Rs256,
            Pair::Ec(_) => SigningAlgorithm::Es256,
        }
    }

    /// The whole key as PKCS#8 in PEM, for a store that keeps it safe: a refresh token that is
    /// bound to a key is worth nothing without it (RFC 9449 §5).
    ///
    /// # Errors
    /// A usage error when the cryptographic library has no memory for it.
    pub fn to_pem(&self) -> Result<SecretString, Error> {
        let failed = |_| Error::usage("the key cannot be written");
        let text = match &*self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                pem::encode("PRIVATE KEY", der.as_ref())
            }
            Pair::Ec(pair) => {
                pem::encode("PRIVATE KEY", pair.to_pkcs8v1().map_err(failed)?.as_ref())
            }
        };
        Ok(text.as_str().into())
    }

    /// The public half as a JWK (RFC 7517), without `kid`, `alg` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> Map<String, Value> {
        let encode = |bytes: &[u8]| Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let members = match &*self.pair {
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                [
                    ("kty", "RSA".into()),
                    ("n", encode(&public.n)),
                    ("e", encode(&public.e)),
                ]
                .to_vec()
            }
            Pair::Ec(pair) => {
                // An uncompressed point: 0x04, then both coordinates (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                [
                    ("kty", "EC".into()),
                    ("crv", "P-256".into()),
                    ("x", encode(x)),
                    ("y", encode(y)),
                ]
                .to_vec()
            }
        };
        let named = members.into_iter();
        named
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The thumbprint of the public half (RFC 7638) with SHA-256: the `jkt` of DPoP.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint(self.public_jwk())
    }

    /// The signature of `message`, as a JWS has it (RFC 7518 §3.3, §3.4).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::usage("the key could not sign");
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = self.algorithm().as_str();
        write!(f, "SigningKey({algorithm}, {:?})", self.key_id)
    }
}

fn bytes(members: &Map<String, Value>, name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = members.get(name)?.as_str()?;
    BASE64_URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

fn rsa(members: &Map<String, Value>) -> Option<RsaKeyPair> {
    let part = |name| bytes(members, name);
    RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: part("n")?,
            e: part("e")?,
        },
        d: part("d")?,
        p: part("p")?,
        q: part("q")?,
        dP: part("dp")?,
        dQ: part("dq")?,
        qInv: part("qi")?,
    })
    .ok()
}

fn ec(members: &Map<String, Value>) -> Option<EcdsaKeyPair> {
    if members.get("crv")? != "P-256" {
        return None;
    }
    let point = [&[4][..], &bytes(members, "x")?, &bytes(members, "y")?].concat();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &bytes(members, "d")?, &point).ok()
}

/// The thumbprint of a public key that has only the members its kind requires.
pub(super) fn thumbprint(jwk: Map<String, Value>) -> String {
    // RFC 7638 §3: in the order of their names, without blanks. All of them are plain ASCII.
    let mut members: Vec<_> = jwk.into_iter().collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name)))
        .collect();
    let text = format!("{{{}}}", members.join(","));
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(text.as_bytes()))
}
