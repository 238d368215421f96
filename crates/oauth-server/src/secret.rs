//! Secrets at rest: argon2id for what people chose, a fast keyed hash for what was generated.

use std::{fmt, str::FromStr, sync::Arc};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{BuildError, OsRandom, Random};

mod digest;
mod verifier;

pub use digest::SecretDigest;
pub use verifier::Verifier;

/// Longer secrets are refused before anything is computed.
pub(crate) const MAX_SECRET: usize = 512;

/// How many chosen secrets a client may have, and how many hashes each attempt costs.
pub(crate) const CHOSEN_SECRETS: usize = 2;

/// What the text of a generated secret's hash begins with.
const HMAC: &str = "hmac-sha256:";

/// What hashing a chosen secret costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretCost {
    memory_kib: u32,
    passes: u32,
}

impl SecretCost {
    /// 19 MiB and two passes: the least that OWASP recommends for argon2id.
    pub const DEFAULT: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
    };

    /// 64 KiB and one pass: for tests and demonstrations, it protects nothing.
    pub const LOW: Self = Self {
        memory_kib: 64,
        passes: 1,
    };

    /// `memory_kib` KiB of memory and `passes` passes over it.
    ///
    /// # Errors
    ///
    /// When argon2 does not allow these values.
    pub fn new(memory_kib: u32, passes: u32) -> Result<Self, BuildError> {
        let cost = Self { memory_kib, passes };
        cost.params().map(|_| cost)
    }

    fn params(self) -> Result<Params, BuildError> {
        Params::new(self.memory_kib, self.passes, 1, None)
            .map_err(|_| BuildError::Setting("the cost of a secret"))
    }
}

impl Default for SecretCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A secret of 256 random bits, to be handed to a client's owner once.
///
/// ```
/// use oauth_server::{Client, GeneratedSecret};
///
/// let secret = GeneratedSecret::generate()?;
/// let client = Client::builder("reports").generated_secret(&secret).build()?;
/// assert!(!format!("{secret:?} {client:?}").contains(secret.expose()));
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct GeneratedSecret(SecretString);

impl GeneratedSecret {
    /// A new one, from the operating system's generator.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness.
    pub fn generate() -> Result<Self, BuildError> {
        let mut bytes = [0; 32];
        OsRandom.fill(&mut bytes)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The secret itself, 43 characters.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A hashed secret. As text it can be stored, and parsed again. It cannot be compared with `==`,
/// as [`SecretDigest`] says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretHash {
    /// A chosen secret, as a PHC string.
    Argon2id(Arc<str>),
    /// A generated secret.
    HmacSha256(SecretDigest),
}

impl SecretHash {
    /// Hashes a secret that somebody chose.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than 512 bytes, or there is no randomness for the salt.
    pub fn chosen(secret: &str, cost: SecretCost) -> Result<Self, BuildError> {
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return Err(BuildError::Secret);
        }
        let mut salt = [0; 16];
        OsRandom.fill(&mut salt)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?)
            .hash_password_with_salt(secret.as_bytes(), &salt)
            .map_err(|_| BuildError::Setting("the cost of a secret"))?;
        Ok(Self::Argon2id(hash.to_string().into()))
    }

    /// Hashes a generated secret.
    ///
    /// # Errors
    ///
    /// When there is no randomness for the key.
    pub fn generated(secret: &GeneratedSecret) -> Result<Self, BuildError> {
        SecretDigest::of(secret.expose()).map(Self::HmacSha256)
    }

    fn verify(&self, secret: &str) -> bool {
        match self {
            // Argon2's outputs are compared in constant time, too.
            Self::Argon2id(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(secret.as_bytes(), &hash)
                    .is_ok()
            }),
            Self::HmacSha256(digest) => digest.fits(secret),
        }
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id(hash) => f.write_str(hash),
            Self::HmacSha256(digest) => write!(f, "{HMAC}{digest}"),
        }
    }
}

/// The inverse of its `Display`.
impl FromStr for SecretHash {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        if let Some(digest) = text.strip_prefix(HMAC) {
            let digest = SecretDigest::read(digest);
            return digest.map(Self::HmacSha256).ok_or(BuildError::SecretHash);
        }
        let valid = PasswordHash::new(text).is_ok_and(|hash| {
            hash.algorithm.as_str() == "argon2id"
                && hash.version == Some(Version::V0x13.into())
                && hash.salt.is_some()
                && hash.hash.is_some()
                && Params::try_from(&hash).is_ok()
        });
        match valid {
            true => Ok(Self::Argon2id(text.into())),
            false => Err(BuildError::SecretHash),
        }
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for SecretHash {
    type Error = BuildError;

    fn try_from(text: String) -> Result<Self, BuildError> {
        text.parse()
    }
}

/// A hash of a weak secret can be searched, so it is not printed either.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_hashes_are_read_again() {
        let generated = GeneratedSecret::generate().unwrap();
        let chosen = SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        for (secret, hash) in [
            ("chosen secret", chosen),
            (
                generated.expose(),
                SecretHash::generated(&generated).unwrap(),
            ),
        ] {
            let read: SecretHash = hash.to_string().parse().unwrap();
            assert_eq!(read.to_string(), hash.to_string());
            assert!(read.verify(secret) && !read.verify("another"));
        }
    }

    #[test]
    fn other_texts_are_no_hashes() {
        let hash = SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        let hash = hash.to_string();
        let (without_output, _) = hash.rsplit_once('$').unwrap();
        for bad in [
            "",
            "chosen secret",
            "hmac-sha256:",
            "hmac-sha256:AAAA:AAAA",
            "hmac-sha256:AAAA",
            without_output,
            &hash.replace("argon2id", "argon2i"),
            &hash.replace("v=19", "v=16"),
            &hash.replace("t=1", "t=0"),
            &hash.replace("m=64", "m=x"),
        ] {
            let read = bad.parse::<SecretHash>();
            assert!(matches!(read, Err(BuildError::SecretHash)), "{bad}");
        }
    }

    #[test]
    fn hashes_are_salted_and_not_shown() {
        let hash = || SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        assert_ne!(hash().to_string(), hash().to_string());
        assert!(
            hash()
                .to_string()
                .starts_with("$argon2id$v=19$m=64,t=1,p=1$")
        );
        assert_eq!(format!("{:?}", hash()), "SecretHash");
        assert!(SecretHash::chosen(&"x".repeat(513), SecretCost::LOW).is_err());
        assert!(SecretHash::chosen("", SecretCost::LOW).is_err());
    }
}
