//! `oauth revoke`: the provider first, so that a token it did not revoke is still there.

use oauth_core::{AccessToken, Error, ErrorCode, Token, secrecy::ExposeSecret};
use serde_json::json;

use crate::{
    arguments,
    failure::Failure,
    options::Output,
    output::print_json,
    session::{Running, Session},
    terminal::say,
};

pub(crate) async fn run(arguments: arguments::Revoke, running: &Running) -> Result<(), Failure> {
    let session = Session::open(arguments.options, running).await?;
    let client = &session.clients.core;
    let mut dead = Vec::new();
    if let Some(token) = &session.secrets.token {
        let access_token = AccessToken::new(token.expose_secret())?;
        gone(client.revoke_text(token.clone(), None).await)?;
        dead.push(access_token);
    } else {
        // Says what is missing when there is none.
        session.stored_token().await?;
        for issued in session.stored().await? {
            let token = issued.token;
            if let Some(refresh_token) = token.refresh_token() {
                gone(client.revoke_refresh_token(refresh_token).await)?;
            }
            gone(client.revoke(token.access_token()).await)?;
            dead.push(token.access_token().clone());
        }
    }
    if !arguments.keep {
        for token in &dead {
            session.tokens.delete(&session.subject, token).await?;
        }
    }
    if session.options.output() == Output::Json {
        return print_json(&json!({ "revoked": dead.len() }));
    }
    say(&format!("revoked {}", dead.len()));
    Ok(())
}

/// A token that the server does not know is as good as revoked (RFC 7009 §2.2), even where the
/// server calls that an error.
fn gone(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(error) if error.code() == Some(&ErrorCode::InvalidToken) => Ok(()),
        answer => answer,
    }
}
