//! Secrets at rest: argon2id for what people chose, SHA-256 for what was generated.

use std::{fmt, sync::Arc};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::{BuildError, ContextError, OsRandom, Random, TokenHash};

/// Longer secrets are refused before anything is computed.
pub(crate) const MAX_SECRET: usize = 512;

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

/// A hashed secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretHash {
    /// A chosen secret, as a PHC string.
    Argon2id(Arc<str>),
    /// A generated secret.
    Sha256(TokenHash),
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
    pub fn generated(secret: &GeneratedSecret) -> Self {
        Self::Sha256(TokenHash::of(secret.expose()))
    }

    fn verify(&self, secret: &str) -> bool {
        match self {
            Self::Argon2id(hash) => PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(secret.as_bytes(), &hash)
                    .is_ok()
            }),
            Self::Sha256(hash) => {
                let given = TokenHash::of(secret);
                given.as_bytes().ct_eq(hash.as_bytes()).into()
            }
        }
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id(hash) => f.write_str(hash),
            Self::Sha256(hash) => write!(f, "sha256:{hash}"),
        }
    }
}

/// A hash of a weak secret can be searched, so it is not printed either.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

/// Verifies secrets on blocking threads, a few at a time, so that a flood of them can take
/// neither all memory nor the async threads.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    permits: Arc<Semaphore>,
    dummy: SecretHash,
}

impl Verifier {
    pub(crate) fn new(cost: SecretCost) -> Result<Self, BuildError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            permits: Arc::new(Semaphore::new(threads)),
            dummy: SecretHash::chosen("nobody knows this", cost)?,
        })
    }

    /// Whether `secret` fits one of `hashes`. A secret that fits none always costs an argon2id
    /// hash, so that the time does not tell whether there was anything to compare it with.
    pub(crate) async fn verify(
        &self,
        secret: &SecretString,
        hashes: Vec<SecretHash>,
    ) -> Result<bool, ContextError> {
        let secret = secret.clone();
        if hashes.iter().any(|hash| {
            matches!(hash, SecretHash::Sha256(_)) && hash.verify(secret.expose_secret())
        }) {
            return Ok(true);
        }
        let mut slow: Vec<_> = hashes
            .into_iter()
            .filter(|hash| matches!(hash, SecretHash::Argon2id(_)))
            .collect();
        let real = slow.len();
        if real == 0 {
            slow.push(self.dummy.clone());
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| ContextError::new("closed").with_source(error))?;
        let verified = tokio::task::spawn_blocking(move || {
            // Held in the thread: a caller that goes away does not free the slot before the
            // work is done.
            let _permit = permit;
            slow.iter().any(|hash| hash.verify(secret.expose_secret()))
        })
        .await
        .map_err(|error| ContextError::new("hashing failed").with_source(error))?;
        Ok(verified && real > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_secret_fits() {
        let verifier = Verifier::new(SecretCost::LOW).unwrap();
        let generated = GeneratedSecret::generate().unwrap();
        let hashes = vec![
            SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap(),
            SecretHash::generated(&generated),
        ];
        for (secret, fits) in [
            ("chosen secret", true),
            (generated.expose(), true),
            ("chosen secreT", false),
            ("nobody knows this", false),
        ] {
            let fitting = verifier.verify(&secret.into(), hashes.clone()).await;
            assert_eq!(fitting.unwrap(), fits, "{secret}");
        }
        let dummy = verifier.verify(&"nobody knows this".into(), vec![]).await;
        assert!(!dummy.unwrap(), "the dummy hash opens no door");
    }

    #[test]
    fn hashes_are_salted_and_not_shown() {
        let hash = || SecretHash::chosen("chosen secret", SecretCost::LOW).unwrap();
        assert_ne!(hash(), hash());
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
