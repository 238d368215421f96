//! Ministry Platform, bound to its emulator.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_conformance::{Counterpart, Credentials, Need, Target};
use oauth_core::{Error, Provider, Scopes};
use oauth_emulators::Emulator;

#[derive(Debug)]
pub(super) struct MinistryPlatform;

#[async_trait]
impl Target for MinistryPlatform {
    fn name(&self) -> &str {
        "ministry-platform"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        let provider = ::ministry_platform::MinistryPlatform::new(base_url)
            .map_err(|error| Error::usage(error.to_string()))?;
        Ok(Arc::new(provider))
    }

    fn credentials(&self) -> Credentials {
        let scopes = Scopes::new([::ministry_platform::SCOPE_ALL, "openid"]);
        Credentials::new("demo", "demo-secret")
            .with_scopes(scopes.unwrap_or_default())
            .with_redirect_uri("http://127.0.0.1/callback")
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::StandardExpiry, Need::StandardTokenType, Need::Server]
    }

    async fn start(&self) -> Result<Counterpart, String> {
        super::start(Emulator::ministry_platform()).await
    }
}
