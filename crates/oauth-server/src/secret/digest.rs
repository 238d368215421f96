//! The keyed hash of a generated secret, which only takes one and the same time to compare.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{BuildError, OsRandom, Random, mac::hmac_sha256};

/// The HMAC-SHA-256 of a generated secret, with a random key of its own beside it: nobody sees
/// that two are of the same secret, and no table made beforehand finds one. It is fast, because
/// 256 random bits need no slow hash.
///
/// It has no `==`, on purpose: [`fits`](Self::fits) is all there is to compare it with, so no
/// comparison of secrets can end at the first difference.
///
/// ```
/// use oauth_server::SecretDigest;
///
/// let (one, other) = (SecretDigest::of("one")?, SecretDigest::of("other")?);
/// assert!(one.fits("one") && !one.fits("other"));
/// # let _ = other;
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
///
/// ```compile_fail,E0369
/// use oauth_server::SecretDigest;
///
/// let (one, other) = (SecretDigest::of("one")?, SecretDigest::of("other")?);
/// assert!(one == other);
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SecretDigest {
    key: [u8; 32],
    mac: [u8; 32],
}

impl SecretDigest {
    /// The digest of `secret`, with a new key.
    ///
    /// # Errors
    ///
    /// When there is no randomness for the key.
    pub fn of(secret: &str) -> Result<Self, BuildError> {
        let mut key = [0; 32];
        OsRandom.fill(&mut key)?;
        let mac = hmac_sha256(&key, secret.as_bytes());
        Ok(Self { key, mac })
    }

    /// The inverse of its `Display`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = |text| BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
        let (key, mac) = text.split_once(':')?;
        let (key, mac) = (bytes(key)?, bytes(mac)?);
        Some(Self { key, mac })
    }

    /// Whether it is the digest of `secret`. Takes the same time wherever they differ.
    pub fn fits(&self, secret: &str) -> bool {
        let mac = hmac_sha256(&self.key, secret.as_bytes());
        mac.ct_eq(&self.mac).into()
    }
}

/// The key and the MAC, each in base64url.
impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [key, mac] = [self.key, self.mac].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        write!(f, "{key}:{mac}")
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let digest = SecretDigest::of("secret").unwrap();
        assert!(digest.fits("secret") && !digest.fits("secreT"));
        for place in 0..32 {
            let (mut key, mut mac) = (digest, digest);
            key.key[place] ^= 1;
            mac.mac[place] ^= 1;
            assert!(!key.fits("secret") && !mac.fits("secret"), "byte {place}");
        }
    }

    #[test]
    fn equal_secrets_do_not_show() {
        let [one, other] = [(); 2].map(|()| SecretDigest::of("secret").unwrap());
        assert_ne!(one.key, other.key);
        assert_ne!(one.mac, other.mac);
        assert!(one.fits("secret") && other.fits("secret"));
    }
}
