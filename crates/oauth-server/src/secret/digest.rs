//! The keyed hash of a generated secret, which only takes one and the same time to compare.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{BuildError, OsRandom, Random, mac::HmacKey};

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
#[derive(Clone)]
pub struct SecretDigest(Arc<Digest>);

struct Digest {
    key: [u8; 32],
    /// The same key, ready to be used.
    ready: HmacKey,
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
        let ready = HmacKey::new(&key);
        let mac = ready.sign(secret.as_bytes());
        Ok(Self(Arc::new(Digest { key, ready, mac })))
    }

    fn new(key: [u8; 32], mac: [u8; 32]) -> Self {
        let ready = HmacKey::new(&key);
        Self(Arc::new(Digest { key, ready, mac }))
    }

    /// The inverse of its `Display`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = |text| BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
        let (key, mac) = text.split_once(':')?;
        Some(Self::new(bytes(key)?, bytes(mac)?))
    }

    /// Whether it is the digest of `secret`. Takes the same time wherever they differ.
    pub fn fits(&self, secret: &str) -> bool {
        let mac = self.0.ready.sign(secret.as_bytes());
        mac.ct_eq(&self.0.mac).into()
    }
}

/// The key and the MAC, each in base64url.
impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [key, mac] = [self.0.key, self.0.mac].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
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
            let (mut key, mut mac) = (digest.0.key, digest.0.mac);
            key[place] ^= 1;
            mac[place] ^= 1;
            let others = [(key, digest.0.mac), (digest.0.key, mac)];
            let fits = others.map(|(key, mac)| SecretDigest::new(key, mac).fits("secret"));
            assert_eq!(fits, [false; 2], "byte {place}");
        }
    }

    #[test]
    fn equal_secrets_do_not_show() {
        let [one, other] = [(); 2].map(|()| SecretDigest::of("secret").unwrap());
        assert_ne!(one.0.key, other.0.key);
        assert_ne!(one.0.mac, other.0.mac);
        assert!(one.fits("secret") && other.fits("secret"));
    }
}
