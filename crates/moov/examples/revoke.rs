//! Calls an API with an access token, revokes it, and sees that it no longer works.

use bytes::Bytes;
use moov::{
    Client, RevokeAccessToken, Scope, Token,
    oauth_core::{Call, EndpointKind, Replay},
};
use oauth_emulators::Emulator;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it got")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::moov().start().await?;
    let client = Client::builder(emulator.client_id(), emulator.client_secret())
        .origin("https://example.com")
        .base_url(emulator.base_url())
        .build()?;
    let token = client.client_credentials(Scope::ping_read()).await?;

    let mut ping = http::Request::get(format!("{}/ping", emulator.base_url())).body(Bytes::new())?;
    client.authorize(token.access_token(), ping.headers_mut())?;
    let call = || Call::new(EndpointKind::Other("ping"), Replay::Always);
    println!(
        "before: {}",
        client.core().send(ping.clone(), call()).await?.status()
    );

    client
        .revoke_access_token(RevokeAccessToken::access_token(token.access_token()))
        .await?;
    let error = client
        .core()
        .send(ping, call())
        .await
        .err()
        .ok_or("a revoked token still works")?;
    println!("after: {error}");
    Ok(())
}
