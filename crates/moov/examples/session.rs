//! What a service holds for its whole life: a token for each account, renewed on the way.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moov::{
    AccountScope, Client, Session,
    oauth_core::{clock::ManualClock, store::MemoryStore},
};
use oauth_emulators::Emulator;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it got")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::moov().start().await?;
    let clock = ManualClock::at(emulator.clock().now());
    let client = Client::builder(emulator.client_id(), emulator.client_secret())
        .origin("https://example.com")
        .base_url(emulator.base_url())
        .clock(Arc::new(clock.clone()))
        .build()?;
    // A store that outlives the process, in earnest.
    let session = Session::builder(client).store(MemoryStore::new()).build();
    let mut events = session.events();

    let id = "c520f1b9-0ba7-42f5-b977-248cdbe41c69";
    let profile = session.scopes(AccountScope::ProfileRead.of(&id.parse()?));
    let url = format!("{}/accounts/{id}", emulator.base_url());
    let request = http::Request::get(url).body(Bytes::new())?;
    let answer = profile.send(request.clone()).await?;
    println!("{}", String::from_utf8_lossy(answer.body()));

    // An hour later the token has ended: it is refreshed.
    let hour = Duration::from_secs(3600);
    clock.advance(hour);
    emulator.clock().advance(hour);
    profile.send(request).await?;
    while let Some(event) = events.try_next() {
        println!("{event:?}");
    }

    session.revoke_all().await?;
    println!("revoked; {} owners have tokens", session.tokens().len());
    Ok(())
}
