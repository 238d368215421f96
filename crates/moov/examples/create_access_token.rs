//! Creates an access token for one account, against a local emulator of Moov.

use moov::{
    AccountScope, Client, CreateAccessToken, RetryConfig, Scope, Token, oauth_core::Scopes,
};
use oauth_emulators::Emulator;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it got")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::moov().start().await?;
    let client = Client::builder(emulator.client_id(), emulator.client_secret())
        .origin("https://example.com")
        .version("v2026.07.00".parse()?)
        .base_url(emulator.base_url())
        .build()?;

    let account = "c520f1b9-0ba7-42f5-b977-248cdbe41c69".parse()?;
    let scopes: Scopes = [Scope::accounts_read(), AccountScope::CardsRead.of(&account)]
        .into_iter()
        .collect();
    let retries = RetryConfig::backoff(moov::BackoffStrategy::default());
    let request = CreateAccessToken::client_credentials(scopes).with_retries(retries);
    let token = client.create_access_token(request).await?;

    println!("granted: {}", token.scopes());
    println!("ends at: {:?}", token.expires_at());
    println!("with a refresh token: {}", token.refresh_token().is_some());
    Ok(())
}
