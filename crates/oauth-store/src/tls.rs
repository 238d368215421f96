//! TLS of the servers' links: rustls, and whom it trusts.

use std::{error::Error as StdError, io, sync::Arc};

use oauth_core::store::{StoreError, StoreErrorKind};

/// Makes sure that rustls knows which cryptography to use: the application's, or else ring.
pub(crate) fn provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker: theirs is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The certificates in `pem`, or those of the operating system.
#[cfg(feature = "postgres")]
pub(crate) fn roots(pem: Option<&[u8]>) -> Result<rustls::RootCertStore, StoreError> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    let mut roots = rustls::RootCertStore::empty();
    match pem {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| no_certificates())?;
                roots.add(certificate).map_err(|_| no_certificates())?;
            }
        }
    }
    match roots.is_empty() {
        true => Err(no_certificates()),
        false => Ok(roots),
    }
}

/// There is nobody to trust.
#[cfg(feature = "postgres")]
pub(crate) fn no_certificates() -> StoreError {
    StoreError::new(
        StoreErrorKind::Configuration,
        "there are no root certificates to check the server with; name a PEM file that has some",
    )
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
