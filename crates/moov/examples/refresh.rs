//! Renews an access token: by its refresh token, and by the key pair once that is refused.

use moov::{Client, RevokeAccessToken, Scope, Token};
use oauth_emulators::Emulator;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it got")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::moov().start().await?;
    let client = Client::builder(emulator.client_id(), emulator.client_secret())
        .origin("https://example.com")
        .base_url(emulator.base_url())
        .build()?;

    let token = client.client_credentials(Scope::accounts_read()).await?;
    let token = client.renew(&token, Scope::accounts_read()).await?;
    println!("refreshed, ends at {:?}", token.expires_at());

    if let Some(refresh_token) = token.refresh_token() {
        client
            .revoke_access_token(RevokeAccessToken::refresh_token(refresh_token))
            .await?;
        let error = client
            .refresh(refresh_token)
            .await
            .err()
            .ok_or("a revoked refresh token still works")?;
        println!("refused: {error}");
    }
    let token = client.renew(&token, Scope::accounts_read()).await?;
    println!("by the key pair, ends at {:?}", token.expires_at());
    Ok(())
}
