//! A user's consent on a web page: the URL, the callback, the tokens, who it is.
//!
//! Runs against the emulator: `cargo run -p twitch --example code`.

use bytes::Bytes;
use http::header::LOCATION;
use oauth_core::{Limits, ReqwestTransport, Scopes, Token, Transport};
use oauth_emulators::Emulator;
use twitch::{Client, Scope, Twitch, UserToken, oauth_core};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::twitch().start().await?;
    let client = Client::builder_for(Twitch::at(emulator.base_url())?, emulator.client_id())
        .client_secret(emulator.client_secret())
        .build()?;

    // 1. Keep `pending` in the user's session, and send the browser to `url`.
    let (url, mut pending) = client
        .authorization_url("http://localhost:3000/callback")
        .scopes(Scopes::new([
            Scope::ChannelReadSubscriptions,
            Scope::ChatRead,
        ])?)
        .build()?;

    // 2. The browser: it says yes, and comes back.
    let visit = http::Request::get(url.as_str()).body(Bytes::new())?;
    let back = ReqwestTransport::new()?
        .send(visit, Limits::default())
        .await?;
    let callback = back
        .headers()
        .get(LOCATION)
        .ok_or("no redirect")?
        .to_str()?;

    // 3. Save what comes before anything else.
    let tokens = client
        .token_get_from_callback(&mut pending, callback)
        .await?;
    let user = UserToken::from_token_set(&client, &tokens).await?;
    println!(
        "{} ({}) granted {}",
        user.login(),
        user.user_id(),
        user.scopes()
    );

    // 4. Once an API says that it is dead.
    let user = client.token_refresh(&user).await?;
    println!("refreshed; it ends at {:?}", user.expires_at());
    client.token_revoke(user.access_token()).await?;
    Ok(())
}
