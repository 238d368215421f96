//! TLS of the servers' links: rustls.

use std::{error::Error as StdError, io, sync::Arc};

/// Makes sure that rustls knows which cryptography to use: the application's, or else ring.
pub(crate) fn provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker: theirs is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Whether rustls is what a driver's error comes from: trying again does not help.
pub(crate) fn is_cause(error: &(dyn StdError + 'static)) -> bool {
    // Neither of these names what it holds as its source.
    let held = match error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        Some(shared) => Some(&**shared),
        None => error.downcast_ref().and_then(io::Error::get_ref),
    };
    error.is::<rustls::Error>()
        || held.is_some_and(|held| is_cause(held))
        || error.source().is_some_and(is_cause)
}
