//! What a service holds for its whole life: one `Authentication`, whose tokens die and come back
//! while it calls the API.

use std::{sync::Arc, time::Duration};

use ministry_platform::{
    Authentication, TableName,
    oauth_core::{Token, clock::ManualClock},
    tables::Query,
};
use oauth_emulators::Emulator;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what it got")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let church = Emulator::ministry_platform().start().await?;
    let clock = ManualClock::at(church.clock().now());
    let authentication = Authentication::builder(church.base_url())
        .username(church.username())
        .password(church.password())
        .client_id(church.client_id())
        .client_secret(church.client_secret())
        .offline_access(true)
        .clock(Arc::new(clock.clone()))
        .build()?;

    let contacts = TableName::new("Contacts")?;
    let query = Query::new().top(1);
    let api = authentication.api_as("demo-client")?;
    println!("{:?}", api.get_records(&contacts, &query).await?);

    // Two hours later every token has ended.
    let hours = Duration::from_secs(2 * 3600);
    clock.advance(hours);
    church.clock().advance(hours);
    println!("{} row", api.get_records(&contacts, &query).await?.len());

    // A token that dies before its end costs one request more, not an error.
    let user = authentication.authenticate().await?;
    authentication.core().revoke(user.access_token()).await?;
    let api = authentication.api();
    println!("{} row", api.get_records(&contacts, &query).await?.len());

    authentication.clear().await?;
    println!("{} token requests", token_requests(&church));
    Ok(())
}

fn token_requests(church: &Emulator) -> usize {
    let form = church.requests();
    form.iter()
        .flat_map(oauth_emulators::RecordedRequest::form)
        .filter(|(name, _)| name == "grant_type")
        .count()
}
