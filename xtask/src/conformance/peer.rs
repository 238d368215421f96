//! `--peer`: clients and servers that are not ours against the other side of ours.

mod browser;
mod moov_sdk;
mod node_oidc_provider;

use super::{checks::Checks, show};

/// Who that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// The certified server, met by the generic client of oauth-core
    NodeOidcProvider,
    /// Moov's own SDK for Python, which meets the Moov emulator
    MoovSdk,
}

/// Installs the peer if it isn't yet, and prints a line for each check.
pub(crate) fn run(peer: Peer) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let checks = runtime.block_on(async {
        match peer {
            Peer::NodeOidcProvider => node_oidc_provider::checks().await,
            Peer::MoovSdk => moov_sdk::checks().await,
        }
    })?;
    let (text, passed) = checks.said()?;
    show(&text)?;
    let done = passed.then_some(());
    done.ok_or_else(|| "the peer and this project disagree".to_owned())
}
