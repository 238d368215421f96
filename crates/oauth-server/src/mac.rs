//! HMAC-SHA-256 (RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key that has been read into the hash: half of the work of an HMAC.
pub(crate) struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key);
        Self(mac.expect("an HMAC takes a key of any length"))
    }

    /// Compare it in constant time.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    /// RFC 4231 §4.3.
    #[test]
    fn as_published() {
        let key = super::HmacKey::new(b"Jefe");
        for _ in 0..2 {
            let mac = key.sign(b"what do ya want for nothing?");
            assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
            assert_eq!(mac[28..], [0x64, 0xec, 0x38, 0x43]);
        }
    }
}
