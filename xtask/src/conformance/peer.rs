//! `--peer`: clients and servers that are not ours against the other side of ours.

mod browser;
mod moov_sdk;
mod node_oidc_provider;

use oauth_conformance::Seed;

use super::{any_seed, checks::Checks, said, show};

/// Who that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// The certified server, met by the generic client of oauth-core
    NodeOidcProvider,
    /// Moov's own SDK for Python, which meets the Moov emulator
    MoovSdk,
}

/// Installs the peer if it isn't yet, and prints a line for each check.
pub(crate) fn run(peer: Peer, seed: Option<Seed>) -> Result<(), String> {
    let seed = seed.unwrap_or_else(any_seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    said::keep_panics();
    said::keep_log()?;
    let mut checks = Checks::default();
    let ended = runtime.block_on(async {
        match peer {
            Peer::NodeOidcProvider => {
                show(&format!("--seed {seed}\n"))?;
                node_oidc_provider::check(&mut checks, seed).await
            }
            Peer::MoovSdk => moov_sdk::check(&mut checks, seed).await,
        }
    });
    ended.map_err(|why| checks.error(why))?;
    let (text, passed) = checks.said()?;
    show(&text)?;
    let done = passed.then_some(());
    done.ok_or_else(|| "the peer and this project disagree".to_owned())
}
