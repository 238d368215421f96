//! TLS of the suite's own: certificates that only its own clients trust.

use std::sync::Arc;

use oauth_core::ReqwestTransport;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::Failure;

// An authority of the suite's own, until 2120, whose key nobody has any more; a certificate by it
// for localhost, id.example.com and 127.0.0.1, also until 2120; one of 2020 for the same.
const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("tls/server.pem");
pub(crate) const EXPIRED: &[u8] = include_bytes!("tls/expired.pem");
pub(crate) const KEY: &[u8] = include_bytes!("tls/server.key");

/// Of an HTTP client that trusts the suite's authority alone.
pub(crate) fn client_builder() -> Result<reqwest::ClientBuilder, Failure> {
    let authority = reqwest::Certificate::from_pem(AUTHORITY)
        .map_err(|_| Failure::new("the suite's own authority cannot be read"))?;
    Ok(reqwest::Client::builder()
        .no_proxy()
        .tls_backend_rustls()
        .tls_certs_only([authority]))
}

/// A transport that trusts the suite's authority alone.
pub(crate) fn transport() -> Result<ReqwestTransport, Failure> {
    Ok(ReqwestTransport::from_builder(client_builder()?)?)
}

/// What takes connections with this certificate.
pub(crate) fn acceptor(
    pem: &[u8],
) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let certificate = CertificateDer::from_pem_slice(pem)?;
    let key = PrivateKeyDer::from_pem_slice(KEY)?;
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
