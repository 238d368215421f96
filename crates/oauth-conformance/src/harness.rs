//! `cargo test` for a provider or a token store of your own: one test for each row or case.
//!
//! In `Cargo.toml`, beside this crate with the feature `harness` under `[dev-dependencies]`:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! and in `tests/conformance.rs`:
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//! use oauth_conformance::{Credentials, Target, harness};
//! use oauth_core::{Endpoints, Error, GenericProvider, Provider};
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! impl Target for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!     fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
//!         Ok(Arc::new(GenericProvider::new(Endpoints::new(&format!("{base_url}/token"))?)))
//!     }
//!     fn credentials(&self) -> Credentials {
//!         Credentials::new("id", "secret")
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     harness::provider(Mine)
//! }
//! ```
//!
//! `cargo test --test conformance RSP-03` then runs one row, and `-- --list` shows them all. A row
//! that the target lacks something for is ignored, and says what.

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use oauth_core::store::suite;
use tokio::runtime::{Builder, Runtime};

use crate::{Case, Catalogue, Run, Secrets, Status, Target, context::Setting, runner};

/// The suite on a provider, with the arguments of the program, which are those of `cargo test`. A
/// panic is printed without the secrets of the run, by a hook of its own.
#[must_use]
pub fn provider(target: impl Target) -> ExitCode {
    run(|runtime| {
        let catalogue = Catalogue::load()?;
        let run = Run::new(vec![Arc::new(target)]);
        let setting = run.setting()?;
        mask_panics(setting.secrets.clone());
        let plan = run.plan(&catalogue)?;
        let in_vain = run.expected_in_vain(&plan);
        let trials = plan.into_iter().map(|(target, case)| {
            let (runtime, setting) = (runtime.clone(), setting.clone());
            let title = catalogue.get(case.id).map_or("", |row| &row.title);
            Trial::ignorable_test(format!("{} {title}", case.id), move || {
                runtime.block_on(completion(target, case, setting))
            })
        });
        let mut trials: Vec<_> = trials.collect();
        trials.push(Trial::test(
            "the target expects nothing in vain",
            move || match in_vain.is_empty() {
                true => Ok(()),
                false => Err(Failed::from(in_vain.join("; "))),
            },
        ));
        Ok(trials)
    })
}

/// From now on a panic is printed without the secrets of the run.
#[expect(clippy::print_stderr, reason = "where a panic is printed otherwise")]
fn mask_panics(secrets: Secrets) {
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("{}", secrets.finder().masked(&panic.to_string()));
    }));
}

/// A case as libtest has it. What it says is for a terminal, so it has no secret in it.
async fn completion(
    target: Arc<dyn Target>,
    case: Case,
    setting: Setting,
) -> Result<Completion, Failed> {
    let secrets = setting.secrets.clone();
    let event = runner::run(target, case, setting).await;
    match event.masked(&secrets.finder()).status {
        Status::Passed => Ok(Completion::Completed),
        Status::Skipped(reason) => Ok(Completion::ignored_with(reason)),
        Status::Failed(reason) => Err(Failed::from(reason)),
    }
}

/// The cases that every [`TokenStore`](oauth_core::store::TokenStore) passes, on the stores of
/// `harness`.
///
/// ```no_run
/// use std::{process::ExitCode, sync::Arc};
/// use oauth_core::store::{MemoryStore, StoreError, TokenStore, suite};
///
/// #[derive(Debug)]
/// struct Mine;
///
/// #[async_trait::async_trait]
/// impl suite::Harness for Mine {
///     async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
///         Ok(Arc::new(MemoryStore::new()))
///     }
/// }
///
/// fn main() -> ExitCode {
///     oauth_conformance::harness::store(Mine)
/// }
/// ```
#[must_use]
pub fn store(harness: impl suite::Harness) -> ExitCode {
    let harness: Arc<dyn suite::Harness> = Arc::new(harness);
    run(|runtime| {
        let trials = suite::cases().into_iter().map(|case| {
            let (runtime, harness) = (runtime.clone(), harness.clone());
            // A case fails by panicking, which the harness takes for a failure.
            Trial::test(case.name(), move || {
                runtime.block_on(case.run(&*harness));
                Ok(())
            })
        });
        Ok(trials.collect())
    })
}

fn run(trials: impl FnOnce(&Arc<Runtime>) -> Result<Vec<Trial>, String>) -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Builder::new_multi_thread().enable_all().build();
    let trials = runtime
        .map_err(|error| format!("no runtime: {error}"))
        .and_then(|runtime| trials(&Arc::new(runtime)));
    // What keeps the suite from starting is a failure that a reader of tests sees.
    let trials = trials.unwrap_or_else(|why| {
        vec![Trial::test("the suite starts", move || {
            Err(Failed::from(why))
        })]
    });
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(test)]
mod tests {
    use oauth_core::{Endpoints, Error, GenericProvider, Provider};

    use super::*;
    use crate::{Context, Credentials, Failure, Outcome};

    #[derive(Debug)]
    struct Plain;

    impl Target for Plain {
        fn name(&self) -> &str {
            "plain"
        }

        fn provider(&self, base_url: &str) -> Result<Arc<dyn Provider>, Error> {
            let endpoints = Endpoints::new(&format!("{base_url}/token"))?;
            Ok(Arc::new(GenericProvider::new(endpoints)))
        }

        fn credentials(&self) -> Credentials {
            Credentials::new("id", "a-secret-of-the-target")
        }
    }

    async fn fails(cx: Context) -> Outcome {
        cx.secrets().add("a-secret-of-the-case");
        Err(Failure::new(
            "got a-secret-of-the-case for a-secret-of-the-target",
        ))
    }

    #[tokio::test]
    async fn a_failure_is_said_without_its_secrets() {
        const OWN: &[Case] = crate::cases! { "TW-02" [] => fails, };
        let setting = Run::new(vec![Arc::new(Plain)]).setting().unwrap();
        let Err(failed) = completion(Arc::new(Plain), OWN[0], setting).await else {
            panic!("it passed");
        };
        assert_eq!(failed.message(), Some("got [secret] for [secret]"));
    }
}
