//! The suite's rows about servers, on the emulator that keeps to the RFCs.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_conformance::{Counterpart, Credentials, Need, Run, Server, Status, Target, matrix};
use oauth_core::{Endpoints, Error, GenericProvider, Provider};
use oauth_emulators::Emulator;

#[derive(Debug)]
struct Rfc;

#[async_trait]
impl Target for Rfc {
    fn name(&self) -> &str {
        "rfc"
    }

    fn provider(&self, base: &str) -> Result<Arc<dyn Provider>, Error> {
        Ok(Arc::new(GenericProvider::new(Endpoints::new(&format!(
            "{base}/token"
        ))?)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret").with_public_client("pub")
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::Client]
    }

    async fn start(&self) -> Result<Counterpart, String> {
        let emulator = Emulator::rfc()
            .start()
            .await
            .map_err(|error| error.to_string())?;
        let base_url = emulator.base_url().to_owned();
        Ok(Counterpart::new(&base_url, emulator).with_server(Server::demo()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rfc_emulator_passes() {
    let report = Run::new(vec![Arc::new(Rfc)]).start(|_| {}).await.unwrap();
    let events = &report.events;
    assert!(events.len() > 150, "{}", events.len());
    let failed = events.iter().any(|event| event.status != Status::Passed);
    assert!(!failed, "{}", matrix(&report));
}
