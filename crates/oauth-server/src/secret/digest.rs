//! The digest of a generated secret, which only takes one and the same time to compare.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a generated secret: always 32 bytes, whatever the secret.
///
/// It has no `==`, on purpose: [`ConstantTimeEq`] is all there is to compare it with, so no
/// comparison of secrets can end at the first difference.
///
/// ```
/// use oauth_server::SecretDigest;
///
/// let (one, other) = (SecretDigest::of("one"), SecretDigest::of("other"));
/// assert!(one.fits("one") && !one.fits("other"));
/// ```
///
/// ```compile_fail,E0369
/// use oauth_server::SecretDigest;
///
/// let (one, other) = (SecretDigest::of("one"), SecretDigest::of("other"));
/// assert!(one == other);
/// ```
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of `secret`.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The inverse of its `Display`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Whether it is the digest of `secret`.
    pub fn fits(&self, secret: &str) -> bool {
        self.ct_eq(&Self::of(secret)).into()
    }
}

impl ConstantTimeEq for SecretDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
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
        let digest = SecretDigest::of("secret");
        assert!(digest.fits("secret") && !digest.fits("secreT"));
        for place in 0..32 {
            let mut other = digest;
            other.0[place] ^= 1;
            assert!(!bool::from(digest.ct_eq(&other)), "byte {place}");
        }
    }
}
