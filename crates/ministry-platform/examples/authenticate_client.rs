//! A client's token: the user's token, the client's row, its secret, client credentials. Then
//! what each failure of these steps is called.
//!
//! `cargo run -p ministry-platform --example authenticate_client`
#![allow(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use std::error::Error;

use ministry_platform::Authentication;
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

    for client_id in [
        "demo-client",
        "o'brien",
        "missing",
        "twice",
        "nosecret",
        "disabled",
    ] {
        match authentication.authenticate_client(client_id).await {
            Ok(_) => println!("{client_id}: a token"),
            Err(error) => println!("{client_id}: {:?}: {error}", error.kind()),
        }
    }
    println!("requests: {}", church.requests().len());
    Ok(())
}
