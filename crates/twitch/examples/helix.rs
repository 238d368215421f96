//! API calls: both headers, the budget, and a token that dies and is replaced on the way.
//!
//! Runs against the emulator: `cargo run -p twitch --example helix`.

use bytes::Bytes;
use oauth_core::{Error, Token};
use oauth_emulators::Emulator;
use twitch::{
    AppToken, Client, Twitch,
    helix::{RateLimit, Unauthorized},
    oauth_core,
};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::twitch().start().await?;
    let client = Client::builder_for(Twitch::at(emulator.base_url())?, emulator.client_id())
        .client_secret(emulator.client_secret())
        .build()?;
    let mut token = client.app_token().await?;

    let mut url = client.helix_url("users")?;
    url.query_pairs_mut().append_pair("login", "twitchdev");
    let request = http::Request::get(url.as_str()).body(Bytes::new())?;

    let answer = client.helix(request.clone(), &token).await?;
    let budget = RateLimit::from_headers(answer.headers()).ok_or("no budget")?;
    println!(
        "{:?} of {:?} points left",
        budget.remaining(),
        budget.limit()
    );

    // Somebody revokes the token. The call by itself fails; the step mends it.
    client.token_revoke(token.access_token()).await?;
    let refused = client.helix(request.clone(), &token).await;
    assert_eq!(
        refused.err().as_ref().and_then(Unauthorized::of),
        Some(Unauthorized::InvalidToken)
    );
    let store = async |new: AppToken| {
        println!("stored a token of {}", new.client_id());
        Ok::<_, Error>(())
    };
    let answer = client
        .token_refresh_step(request, &mut token, store)
        .await?;
    println!("{}", String::from_utf8_lossy(answer.body()));
    Ok(())
}
