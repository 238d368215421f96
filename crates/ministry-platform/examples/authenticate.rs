//! The default user's token: from the server, from the cache, and anew after it was invalidated.
//!
//! `cargo run -p ministry-platform --example authenticate`. With `MP_BASE_URL` set, it logs in
//! there, with what the other `MP_` variables say.
#![allow(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use std::{error::Error, time::SystemTime};

use ministry_platform::{Authentication, oauth_core::Token};
use oauth_emulators::Emulator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let church = Emulator::ministry_platform().start().await?;
    let authentication = match std::env::var_os("MP_BASE_URL") {
        Some(_) => Authentication::from_env()?,
        None => Authentication::builder(church.base_url())
            .username(church.username())
            .password(church.password())
            .client_id(church.client_id())
            .client_secret(church.client_secret())
            .build()?,
    };

    let token = authentication.authenticate().await?;
    println!("scopes: {}", token.scopes());
    println!("it lives for {:?}", token.expires_in(SystemTime::now()));

    let again = authentication.authenticate().await?;
    println!("kept: {}", again.access_token() == token.access_token());

    authentication
        .invalidate_token(authentication.core().client_id())
        .await?;
    let other = authentication.authenticate().await?;
    println!(
        "another one: {}",
        other.access_token() != token.access_token()
    );
    Ok(())
}
