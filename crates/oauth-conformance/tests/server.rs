//! The suite's rows about servers, on the emulator that keeps to the RFCs.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_conformance::{
    Counterpart, Credentials, Event, Need, Run, Server, Status, Target, matrix,
};
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

    fn expected_failures(&self) -> Vec<(&'static str, &'static str)> {
        let why = "the emulator has the password grant for clients that are registered for it";
        vec![("BCP-16", why)]
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
    let is_as_planned = |event: &Event| match event.id {
        "BCP-16" => matches!(event.status, Status::Skipped(_)),
        _ => event.status == Status::Passed,
    };
    assert!(events.iter().all(is_as_planned), "{}", matrix(&report));
}
