//! `oauth token`: a valid access token.

use oauth_core::{
    Error, TokenManager,
    manager::{Event, Events, ManagedToken},
    store::{StoreError, StoreErrorKind},
};

use crate::{
    device,
    failure::Failure,
    options::{GrantName, Options},
    output::{From, print_token},
    session::{Running, Session},
};

pub(crate) async fn run(options: Options, running: &Running) -> Result<(), Failure> {
    if options.grant == Some(GrantName::DeviceCode) {
        device::check(&options)?;
    }
    let session = Session::open_to_read(options, running).await?;
    let mut events = session.tokens.events();
    let selection = session
        .tokens
        .select(&session.subject)
        .request(session.request.clone());
    let mut token = selection.get().await?;
    let mut from = came_from(&mut events);
    if session.options.fresh && matches!(from, From::Store) {
        token = selection.renew().await?;
        from = came_from(&mut events);
    }
    if matches!(from, From::Store) {
        running.has_only_read();
    }
    finish(&session, &token, from).await
}

/// Prints the token, then says if it could not be kept: it is printed all the same, for it may be
/// the only one that still works.
pub(crate) async fn finish(
    session: &Session,
    token: &ManagedToken,
    from: From,
) -> Result<(), Failure> {
    let saved = saved(&session.tokens).await;
    print_token(session, token, from)?;
    saved
}

async fn saved(tokens: &TokenManager) -> Result<(), Failure> {
    if tokens.save_now().await == 0 {
        return Ok(());
    }
    let lost = StoreError::new(
        StoreErrorKind::Unavailable,
        "the new token could not be stored; with it, its refresh token is lost when this command ends",
    );
    Err(Error::store(lost).into())
}

/// Where the token came from, by what has happened.
fn came_from(events: &mut Events) -> From {
    let mut from = From::Store;
    while let Some(event) = events.try_next() {
        match event {
            Event::Granted { .. } => from = From::Grant,
            Event::Refreshed { .. } => from = From::Refresh,
            _ => {}
        }
    }
    from
}
