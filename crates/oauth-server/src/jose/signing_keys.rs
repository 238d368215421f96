//! The keys in use.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use serde_json::{Value, json};

use super::SigningKey;
use crate::BuildError;

/// The keys a server signs with: the first one signs, all are published, so that what an earlier
/// one signed can be verified as long as it lives. Clones share their keys.
///
/// ```
/// use oauth_server::{OsRandom, SigningAlgorithm, SigningKey, SigningKeys};
///
/// let old = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
/// let keys = SigningKeys::new([old.clone()])?;
/// // Rotation: first published, a while later signing, and the old one gone at last.
/// let new = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
/// keys.replace([old.clone(), new.clone()])?;
/// keys.replace([new, old])?;
/// assert_eq!(keys.jwks()["keys"].as_array().map(Vec::len), Some(2));
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone)]
pub struct SigningKeys(Arc<RwLock<Arc<[SigningKey]>>>);

impl SigningKeys {
    /// These keys; at least one.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn new(keys: impl IntoIterator<Item = SigningKey>) -> Result<Self, BuildError> {
        Ok(Self(Arc::new(RwLock::new(some(keys)?))))
    }

    /// From now on these keys; at least one.
    ///
    /// # Errors
    ///
    /// When there is none; then nothing changes.
    pub fn replace(&self, keys: impl IntoIterator<Item = SigningKey>) -> Result<(), BuildError> {
        let keys = some(keys)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// The keys as they are now, the signing one first.
    pub fn keys(&self) -> Arc<[SigningKey]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Their public halves (RFC 7517 §5).
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = self.keys().iter().map(SigningKey::public).collect();
        json!({ "keys": keys })
    }

    /// The one that signs.
    pub(crate) fn current(&self) -> SigningKey {
        self.keys()[0].clone()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().iter()).finish()
    }
}

fn some(keys: impl IntoIterator<Item = SigningKey>) -> Result<Arc<[SigningKey]>, BuildError> {
    let keys: Arc<[_]> = keys.into_iter().collect();
    match keys.is_empty() {
        true => Err(BuildError::Key),
        false => Ok(keys),
    }
}
