//! No variable of the environment weakens anything: the rows that speak of it, in a process whose
//! environment means harm.

use std::{env, process::Command, sync::Arc};

use oauth_conformance::{Credentials, Run, Target, environment::HOSTILE, matrix};
use oauth_core::{Capability, Endpoints, Error, GenericProvider, Provider};

#[derive(Debug)]
struct Plain;

impl Target for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn provider(&self, base: &str) -> Result<Arc<dyn Provider>, Error> {
        let provider = GenericProvider::new(Endpoints::new(&format!("{base}/token"))?);
        let capabilities = provider.capabilities().with(Capability::Discovery);
        Ok(Arc::new(provider.with_capabilities(capabilities)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret")
    }
}

#[test]
fn no_variable_weakens_anything() {
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "in_a_hostile_environment",
            "--ignored",
            "--nocapture",
        ])
        .envs(HOSTILE)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "run by no_variable_weakens_anything, which sets its environment"]
async fn in_a_hostile_environment() {
    for (name, value) in HOSTILE {
        assert_eq!(env::var(name).as_deref(), Ok(value));
    }
    for id in ["TRN-01", "TRN-02", "TRN-03", "TRN-04", "TRN-07", "TRN-15"] {
        let report = Run::new(vec![Arc::new(Plain)])
            .only(id)
            .start(|_| {})
            .await
            .unwrap();
        assert_eq!(report.counts(), (1, 0, 0), "{}", matrix(&report));
    }
}
