//! The suite on GitHub: one test for each row.

use std::{process::ExitCode, sync::Arc};

use example_provider::GitHub;
use oauth_conformance::{Credentials, Need, Target, harness};
use oauth_core::{Error, Provider};
use serde_json::{Value, json};

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

    fn lacks(&self) -> Vec<Need> {
        vec![
            Need::Counterpart,
            Need::Server,
            Need::ClientAuthenticationMethods,
            Need::JsonAnswers,
            Need::StandardErrors,
            Need::StandardScope,
        ]
    }

    fn token_answer(&self, access_token: &str) -> Value {
        json!({"access_token": access_token, "token_type": "bearer"})
    }

    fn refusal(&self, code: &str) -> Option<(u16, String)> {
        let code = match code {
            "invalid_grant" => "bad_verification_code",
            "invalid_client" => "incorrect_client_credentials",
            "access_denied" | "authorization_pending" | "expired_token" | "slow_down" => code,
            _ => return None,
        };
        Some((200, json!({ "error": code }).to_string()))
    }
}

fn main() -> ExitCode {
    harness::provider(Ours)
}
