//! Who the user is, and whether a token is still good.
//!
//! `cargo run -p ministry-platform --example userinfo`
#![allow(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use std::error::Error;

use ministry_platform::{
    Authentication,
    oauth_core::{AccessToken, Token},
};
use oauth_emulators::Emulator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let church = Emulator::ministry_platform().start().await?;
    let authentication = Authentication::builder(church.base_url())
        .username(church.username())
        .password(church.password())
        .client_id(church.client_id())
        .client_secret(church.client_secret())
        .build()?;

    let token = authentication.authenticate().await?;
    let user = authentication.userinfo(token.access_token()).await?;
    println!("User_GUID: {}", user.subject());
    println!(
        "valid: {}",
        authentication.valid_token(token.access_token()).await?
    );
    println!(
        "another one: {}",
        authentication
            .valid_token(&AccessToken::new("made-up")?)
            .await?
    );

    authentication.revoke(token.access_token()).await?;
    println!(
        "after it was revoked: {}",
        authentication.valid_token(token.access_token()).await?
    );
    Ok(())
}
