//! A user's consent for a program without a browser and without a secret. Takes five seconds:
//! that is how long Twitch wants to be left alone before each poll.
//!
//! Runs against the emulator: `cargo run -p twitch --example device`.

use bytes::Bytes;
use oauth_core::{Limits, ReqwestTransport, Scopes, Transport};
use oauth_emulators::Emulator;
use twitch::{Client, Scope, Twitch, UserToken, oauth_core};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::twitch().start().await?;
    let client = Client::builder_for(
        Twitch::at(emulator.base_url())?,
        emulator.public_client_id(),
    )
    .build()?;

    let device = client.device_code(&Scopes::new([Scope::ChatRead])?).await?;
    // The code is in the address already.
    println!(
        "open {} and compare the code {}",
        device.verification_uri(),
        device.user_code()
    );

    // The user, elsewhere: opens the page and says yes.
    let page = http::Request::get(device.verification_uri()).body(Bytes::new())?;
    ReqwestTransport::new()?
        .send(page, Limits::default())
        .await?;

    let tokens = client.device_token(&device).await?;
    let user = UserToken::from_token_set(&client, &tokens).await?;
    println!("hello, {}", user.login());

    // The refresh token of a public client works once: save the new one before using it.
    let next = client.token_refresh(&user).await?;
    let spent = client.token_refresh(&user).await;
    assert!(spent.is_err_and(|error| error.needs_reauthorization()));
    println!("refreshed for {}", next.login());
    Ok(())
}
