//! `oauth emulate`: a provider on this machine.

use oauth_emulators::Emulator;

use crate::{
    arguments::{Emulate, Emulated},
    failure::Failure,
    output::print_json,
    signals,
};

pub(crate) async fn run(arguments: &Emulate) -> Result<(), Failure> {
    let mut builder = match arguments.provider {
        Emulated::Twitch => Emulator::twitch(),
        Emulated::Moov => Emulator::moov(),
        Emulated::MinistryPlatform => Emulator::ministry_platform(),
        Emulated::Rfc => Emulator::rfc(),
    };
    if let Some(address) = arguments.listen {
        builder = builder.listen(address);
    }
    // Before the line is printed: whoever reads it may stop us at once.
    let stop = signals::stop();
    let emulator = builder
        .start()
        .await
        .map_err(|error| Failure::usage(format!("the emulator cannot start: {error}")))?;
    print_json(&emulator.info())?;
    stop.await;
    emulator.stop().await;
    Ok(())
}
