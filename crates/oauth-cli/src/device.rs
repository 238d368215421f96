//! The device authorization grant (RFC 8628), for people: the code large, the address as text.

use oauth_core::{Client, DeviceAuthorization, Error, Scopes, TokenSet};

use crate::{
    failure::Failure,
    inspect::plain,
    options::Options,
    terminal::{bold, say, spinner},
};

/// Refuses what such a login cannot carry.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    if options.param.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(
        "the device grant takes no extra parameters: leave --param out",
    ))
}

/// Shows the code, and waits until the user has entered it.
pub(crate) async fn log_in(client: &Client, scopes: Option<&Scopes>) -> Result<TokenSet, Error> {
    let device = client.device_authorization(scopes).await?;
    show(&device);
    let waiting = spinner("waiting for you to enter the code");
    let token = client.poll_device(&device).await;
    waiting.finish_and_clear();
    token
}

fn show(device: &DeviceAuthorization) {
    let code = plain(device.user_code());
    let spaced = code.chars().map(String::from).collect::<Vec<_>>().join(" ");
    let line = "─".repeat(spaced.chars().count() + 6);
    say(&format!(
        "Open this address: {}",
        plain(device.verification_uri())
    ));
    say("and enter the code:\n");
    say(&format!(
        "  ┌{line}┐\n  │   {}   │\n  └{line}┘\n",
        bold(&spaced)
    ));
    say(&format!("The code alone: {code}"));
    if let Some(complete) = device.verification_uri_complete() {
        say(&format!("Or open, code included: {}", plain(complete)));
    }
    let minutes = device.expires_in().as_secs().div_ceil(60);
    say(&format!("It ends in {minutes} min."));
}
