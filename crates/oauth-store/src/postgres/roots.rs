//! Whom the link to PostgreSQL trusts.

use oauth_core::store::{StoreError, StoreErrorKind};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// The certificates in `pem`, or those of the operating system.
pub(super) fn trusted(pem: Option<&[u8]>) -> Result<rustls::RootCertStore, StoreError> {
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
fn no_certificates() -> StoreError {
    StoreError::new(
        StoreErrorKind::Configuration,
        "there are no root certificates to check the server with; name a PEM file that has some",
    )
}
