//! Nonces that the server need not remember: a time, and a MAC over it (RFC 9449 §8).

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{ContextError, Random, mac::HmacKey, signed::seconds};

/// How long a nonce is good.
pub(crate) const LIFE: Duration = Duration::from_secs(300);

/// How many bytes of it are time.
const TIME: usize = 8;

/// Makes nonces, and knows its own again.
pub(crate) struct Nonces(OnceLock<SecretString>);

impl Nonces {
    /// Several servers that share a secret know each other's nonces; without one it is random.
    pub(crate) fn new(secret: Option<SecretString>) -> Self {
        Self(secret.map_or_else(OnceLock::new, OnceLock::from))
    }

    pub(super) fn fresh(
        &self,
        random: &dyn Random,
        now: SystemTime,
    ) -> Result<String, ContextError> {
        let secret = match self.0.get() {
            Some(secret) => secret,
            None => {
                let mut bytes = [0; 32];
                random.fill(&mut bytes)?;
                let made = BASE64_URL_SAFE_NO_PAD.encode(bytes).into();
                self.0.get_or_init(|| made)
            }
        };
        let time = seconds(now).to_be_bytes();
        let nonce = [time.as_slice(), &mac(secret, time)].concat();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(nonce))
    }

    pub(super) fn is_live(&self, nonce: &str, now: SystemTime) -> bool {
        let Some(secret) = self.0.get() else {
            return false;
        };
        let nonce = BASE64_URL_SAFE_NO_PAD.decode(nonce).unwrap_or_default();
        let Some((time, given)) = nonce.split_first_chunk::<TIME>() else {
            return false;
        };
        let made_here = bool::from(given.ct_eq(&mac(secret, *time)));
        // Another server's clock may be a little ahead.
        let age = seconds(now).saturating_sub(u64::from_be_bytes(*time));
        made_here && age < LIFE.as_secs()
    }
}

fn mac(secret: &SecretString, time: [u8; TIME]) -> [u8; 32] {
    HmacKey::new(secret.expose_secret().as_bytes()).sign(&time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn only_own_and_fresh_nonces_are_live() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (own, other) = (Nonces::new(None), Nonces::new(None));
        let nonce = own.fresh(&OsRandom, at(1000)).unwrap();
        let theirs = other.fresh(&OsRandom, at(1000)).unwrap();
        assert!(own.is_live(&nonce, at(1000)) && own.is_live(&nonce, at(1299)));
        assert!(!own.is_live(&nonce, at(1300)), "old");
        assert!(!own.is_live(&theirs, at(1000)), "of another server");
        let mut forged = BASE64_URL_SAFE_NO_PAD.decode(&nonce).unwrap();
        forged[7] ^= 1;
        let forged = BASE64_URL_SAFE_NO_PAD.encode(forged);
        for bad in ["", "AAAA", "AAAAAAAAAAA", &nonce[..20], &forged] {
            assert!(!own.is_live(bad, at(1000)), "{bad}");
        }
    }

    #[test]
    fn servers_with_one_secret_know_each_others_nonces() {
        let one = Nonces::new(Some("a secret of several servers".into()));
        let other = Nonces::new(Some("a secret of several servers".into()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let nonce = one.fresh(&OsRandom, now).unwrap();
        assert!(other.is_live(&nonce, now));
    }
}
