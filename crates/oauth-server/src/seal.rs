//! The successor of a refresh token, kept for the client that lost the answer with it.

use std::{fmt, time::SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A successor that only the token it replaced can open: what is stored gives nothing to whoever
/// does not hold that token, and the server does not.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedToken {
    sealed: String,
    sealed_at: SystemTime,
}

impl SealedToken {
    /// Seals `successor` with `used`, which is good for one sealing: the same key stream twice
    /// would show both successors.
    pub(crate) fn seal(successor: &str, used: &str, sealed_at: SystemTime) -> Self {
        let bytes = successor.bytes().zip(key_stream(used)).map(|(a, b)| a ^ b);
        let sealed = BASE64_URL_SAFE_NO_PAD.encode(bytes.collect::<Vec<_>>());
        Self { sealed, sealed_at }
    }

    /// When the successor came to life.
    pub fn sealed_at(&self) -> SystemTime {
        self.sealed_at
    }

    pub(crate) fn open(&self, used: &str) -> Option<SecretString> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(&self.sealed).ok()?;
        let bytes = sealed.into_iter().zip(key_stream(used)).map(|(a, b)| a ^ b);
        let text = SecretString::from(String::from_utf8(bytes.collect()).ok()?);
        (!text.expose_secret().is_empty()).then_some(text)
    }
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedToken")
            .field("sealed_at", &self.sealed_at)
            .finish_non_exhaustive()
    }
}

/// As unguessable as the token, and not its stored hash.
fn key_stream(token: &str) -> impl Iterator<Item = u8> {
    (0_u64..).flat_map(move |block| {
        let mut digest = Sha256::new();
        digest.update(b"oauth-server successor\0");
        digest.update(block.to_be_bytes());
        digest.update(token.as_bytes());
        <[u8; 32]>::from(digest.finalize())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_used_token_opens_it() {
        for successor in ["short", &"long".repeat(40)] {
            let sealed = SealedToken::seal(successor, "used", SystemTime::UNIX_EPOCH);
            let opened = sealed.open("used").unwrap();
            assert_eq!(opened.expose_secret(), successor);
            let wrong = sealed.open("other");
            assert!(wrong.is_none_or(|text| text.expose_secret() != successor));
            let stored = serde_json::to_string(&sealed).unwrap();
            assert!(!stored.contains(successor) && !format!("{sealed:?}").contains(successor));
        }
    }
}
