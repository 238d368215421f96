//! What a service holds for its whole life: a user who logged in at a device, and the application's
//! own token. Tokens die on the way, and nobody notices.
//!
//! Runs against the emulator: `cargo run -p twitch --example session`. The clock of the example
//! moves by waiting, so it ends at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use oauth_core::{
    Limits, ReqwestTransport, Scopes, Transport, clock::ManualClock, store::MemoryStore,
};
use oauth_emulators::Emulator;
use twitch::{Client, Scope, Session, Twitch, oauth_core};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::twitch().start().await?;
    let clock = ManualClock::at(emulator.clock().now());
    let twitch = Twitch::at(emulator.base_url())?;
    let client = Client::builder_for(twitch.clone(), emulator.public_client_id())
        .clock(Arc::new(clock.clone()))
        .build()?;
    // A store that outlives the process, in earnest: the refresh tokens of a client without a
    // secret work once.
    let session = Session::builder(client).store(MemoryStore::new()).build();
    let mut events = session.events();

    let device = session
        .client()
        .device_code(&Scopes::new([Scope::ChatRead])?)
        .await?;
    let page = http::Request::get(device.verification_uri()).body(Bytes::new())?;
    ReqwestTransport::new()?
        .send(page, Limits::default())
        .await?;
    let login = session.client().device_token(&device).await?;
    let user = session.register(&login).await?;

    // A call of the API, hours later: the token has ended, and is refreshed on the way.
    let day = Duration::from_secs(24 * 3600);
    clock.advance(day);
    emulator.clock().advance(day);
    let users = session.client().helix_url("users")?;
    let request = http::Request::get(users.as_str()).body(Bytes::new())?;
    let answer = user.helix(request.clone()).await?;
    println!("{}", String::from_utf8_lossy(answer.body()));
    while let Some(event) = events.try_next() {
        println!("{event:?}");
    }

    // Whoever logs out is forgotten here and revoked there.
    println!("logged out: {:?}", user.log_out().await?);
    let gone = user.helix(request).await;
    assert!(gone.is_err_and(|error| error.needs_reauthorization()));

    // The application's own token: the client has a secret for that.
    let client = Client::builder_for(twitch, emulator.client_id())
        .client_secret(emulator.client_secret())
        .build()?;
    let app = Session::new(client).app();
    let headers = app.headers().await?;
    println!("client id of the app token: {:?}", headers.get("client-id"));
    Ok(())
}
