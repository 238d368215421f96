//! The suite on a provider without bends, as a third party would run it.

use std::sync::Arc;

use oauth_conformance::{Credentials, Run, Target, matrix};
use oauth_core::{Capability, Endpoints, Error, GenericProvider, Provider};

#[derive(Debug)]
struct Plain;

impl Target for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn provider(&self, base: &str) -> Result<Arc<dyn Provider>, Error> {
        let endpoints = Endpoints::new(&format!("{base}/token"))?
            .with_authorization(&format!("{base}/authorize"))?
            .with_revocation(&format!("{base}/revoke"))?
            .with_introspection(&format!("{base}/introspect"))?
            .with_device_authorization(&format!("{base}/device_authorization"))?
            .with_userinfo(&format!("{base}/userinfo"))?
            .with_pushed_authorization(&format!("{base}/par"))?
            .with_issuer(base);
        let provider = GenericProvider::new(endpoints);
        let capabilities = provider.capabilities().with(Capability::Discovery);
        Ok(Arc::new(provider.with_capabilities(capabilities)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret").with_public_client("pub")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_provider_passes() {
    let report = Run::new(vec![Arc::new(Plain)]).start(|_| {}).await.unwrap();
    let (passed, failed, _) = report.counts();
    assert!(failed == 0 && passed > 0, "{}", matrix(&report));
}
