//! The suite on GitHub: one test for each row.

use std::{process::ExitCode, sync::Arc};

use example_provider::GitHub;
use oauth_conformance::{Credentials, Target, harness};
use oauth_core::{Error, Provider};

#[derive(Debug)]
struct Ours;

impl Target for Ours {
    fn name(&self) -> &str {
        "github"
    }

    fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
        Ok(Arc::new(GitHub::at(base_url)?))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("client", "client-secret").with_public_client("public")
    }
}

fn main() -> ExitCode {
    harness::provider(Ours)
}
