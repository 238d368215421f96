//! A server that keeps to the RFCs, through the generic provider.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_conformance::{Counterpart, Credentials, Need, Target};
use oauth_core::{Capability, Endpoints, Error, GenericProvider, Provider};
use oauth_emulators::Emulator;

#[derive(Debug)]
pub(super) struct Generic;

#[async_trait]
impl Target for Generic {
    fn name(&self) -> &str {
        "generic"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        let endpoints = Endpoints::new(&format!("{base_url}/token"))?
            .with_authorization(&format!("{base_url}/authorize"))?
            .with_revocation(&format!("{base_url}/revoke"))?
            .with_introspection(&format!("{base_url}/introspect"))?
            .with_device_authorization(&format!("{base_url}/device_authorization"))?
            .with_userinfo(&format!("{base_url}/userinfo"))?
            .with_pushed_authorization(&format!("{base_url}/par"))?
            .with_issuer(base_url);
        let provider = GenericProvider::new(endpoints);
        let capabilities = provider.capabilities().with(Capability::Discovery);
        Ok(Arc::new(provider.with_capabilities(capabilities)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret").with_public_client("pub")
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::Server]
    }

    async fn start(&self) -> Result<Counterpart, String> {
        super::start(Emulator::rfc()).await
    }
}
