//! `oauth-server` itself, for the rows about servers: its router on a socket, set up by the RFC
//! emulator, whose control moves the clock and takes records away.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_conformance::{Counterpart, Credentials, Need, Server, Target};
use oauth_core::{Error, Provider};
use oauth_emulators::Emulator;

use super::generic::Generic;

#[derive(Debug)]
pub(super) struct AuthorizationServer;

#[async_trait]
impl Target for AuthorizationServer {
    fn name(&self) -> &str {
        "server"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        Generic.provider(base_url)
    }

    fn credentials(&self) -> Credentials {
        Generic.credentials()
    }

    fn lacks(&self) -> Vec<Need> {
        vec![Need::Client]
    }

    fn expected_failures(&self) -> Vec<(&'static str, &'static str)> {
        vec![(
            "BCP-16",
            "the server has the password grant for clients that are registered for it; no other may use it",
        )]
    }

    async fn start(&self) -> Result<Counterpart, String> {
        let counterpart = super::start(Emulator::rfc()).await?;
        Ok(counterpart.with_server(Server::demo()))
    }
}
