//! The table of targets: each provider bound to its emulator, and the authorization server. A file per provider, with the rows
//! that are about it alone beside it.

mod generic;
mod ministry_platform;
mod moov;
mod server;
mod twitch;

use std::sync::Arc;

use oauth_conformance::{Counterpart, Target};
use oauth_emulators::{Builder, Emulator};

/// Every provider, in the order of the reports.
pub(crate) fn all() -> Vec<Arc<dyn Target>> {
    vec![
        Arc::new(generic::Generic),
        Arc::new(twitch::Twitch),
        Arc::new(moov::Moov),
        Arc::new(ministry_platform::MinistryPlatform),
        Arc::new(server::AuthorizationServer),
    ]
}

async fn start(builder: Builder) -> Result<Counterpart, String> {
    let emulator: Emulator = builder.start().await.map_err(|error| error.to_string())?;
    let base_url = emulator.base_url().to_owned();
    Ok(Counterpart::new(&base_url, emulator))
}
