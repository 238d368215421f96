//! Randomness, injected: `state`, PKCE verifiers and jitter come from here.
//!
//! ```
//! use oauth_core::random::{OsRandom, Random};
//!
//! let mut bytes = [0; 32];
//! OsRandom.fill(&mut bytes)?;
//! # Ok::<(), oauth_core::Error>(())
//! ```

use std::fmt::Debug;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::Error;

/// Where randomness comes from. It must be unpredictable: `state` and the PKCE verifier rest on it.
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the source has none to give; nothing weaker is ever used instead.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The generator of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes)
            .map_err(|_| Error::usage("the operating system gave no randomness; nothing was sent"))
    }
}

/// 256 random bits in 43 characters of the unreserved set: `state`, nonces, PKCE verifiers.
pub(crate) fn text(random: &dyn Random) -> Result<SecretString, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    random.fill(bytes.as_mut())?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(*bytes).into())
}

/// A number in `0.0..1.0` for jitter. Without randomness the middle: a wait needs no secret.
pub(crate) fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0_u8; 4];
    match random.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.5,
    }
}
