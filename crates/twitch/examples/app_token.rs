//! The application's own token: asked for, validated, revoked, and asked for anew.
//!
//! Runs against the emulator: `cargo run -p twitch --example app_token`.

use oauth_core::{ErrorCode, Token};
use oauth_emulators::Emulator;
use twitch::{AppToken, Client, Revoked, Twitch, oauth_core};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::twitch().start().await?;
    let client = Client::builder_for(Twitch::at(emulator.base_url())?, emulator.client_id())
        .client_secret(emulator.client_secret())
        .build()?;

    let token = client.app_token().await?;
    println!(
        "a token of {} that ends at {:?}",
        token.client_id(),
        token.expires_at()
    );

    // As a program does that finds one in its store at start.
    let token = AppToken::from_existing(&client, token.access_token().clone()).await?;

    assert_eq!(
        client.token_revoke(token.access_token()).await?,
        Revoked::Now
    );
    assert_eq!(
        client.token_revoke(token.access_token()).await?,
        Revoked::AlreadyGone
    );
    let dead = client.token_validate(token.access_token()).await;
    assert_eq!(
        dead.err().as_ref().and_then(|error| error.code()),
        Some(&ErrorCode::InvalidToken)
    );

    let next = client.app_token().await?;
    assert_ne!(next.access_token(), token.access_token());
    println!("revoked; a new one was asked for");
    Ok(())
}
