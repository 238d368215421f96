//! `oauth login`: a user's tokens, by the browser or another device.

use std::time::Duration;

use indicatif::ProgressBar;
use oauth_core::{ErrorKind, TokenSet, manager::exchange, openid::Expected};
use url::Url;

use crate::{
    arguments, device,
    failure::Failure,
    loopback::Receiver,
    options::{GrantName, Options},
    output::{From, time},
    session::{Running, Session},
    terminal::{say, spinner},
    token::finish,
};

/// How long a person may take, unless --timeout says otherwise.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn run(arguments: arguments::Login, running: &Running) -> Result<(), Failure> {
    let arguments::Login {
        options,
        device,
        no_browser,
    } = arguments;
    let receiver = if device || options.grant == Some(GrantName::DeviceCode) {
        device::check(&options)?;
        None
    } else {
        Some(Receiver::bind(options.redirect_uri.as_deref()).await?)
    };
    let session = Session::open(options, running).await?;
    // Nobody should log in for a store that cannot be read.
    let owner = session.tokens.owner(&session.subject);
    session.store.load(&owner).await?;
    let token = match receiver {
        None => device::log_in(&session.clients.core, session.scopes.as_ref()).await?,
        Some(receiver) => by_browser(&session, receiver, no_browser).await?,
    };
    let kept = match session.tokens.replace(&session.subject, token).await {
        Err(error) if error.kind() == ErrorKind::Store => return unsaved(&session).await,
        kept => kept?,
    };
    let end = kept.expires_at().and_then(time);
    let end = end.map_or_else(|| "without an end".to_owned(), |end| format!("until {end}"));
    say(&format!("logged in, {end}"));
    if session.options.output.is_some() {
        return finish(&session, &kept, From::Grant).await;
    }
    Ok(())
}

/// The token is in memory, and nowhere else: printed, it is not lost.
async fn unsaved(session: &Session) -> Result<(), Failure> {
    if session.options.output.is_none() {
        return Err(Failure::store(
            "the login worked, but its tokens could not be stored and are lost; see to the store and log in again, with --output json to have the token printed whatever becomes of the store",
        ));
    }
    let kept = session.tokens.select(&session.subject).get().await?;
    finish(session, &kept, From::Grant).await
}

/// The code flow with PKCE, over a loopback redirect (RFC 8252).
async fn by_browser(
    session: &Session,
    receiver: Receiver,
    no_browser: bool,
) -> Result<TokenSet, Failure> {
    let client = &session.clients.core;
    let mut request = client.authorization_request(receiver.redirect_uri());
    if let Some(scopes) = &session.scopes {
        request = request.scopes(scopes.clone());
    }
    for (name, value) in session.options.params()? {
        request = request.param(name, value);
    }
    let (url, pending) = if client
        .provider()
        .endpoints()
        .pushed_authorization_required()
    {
        request.push().await?
    } else {
        request.build()?
    };
    let expected = Expected::of(&pending);
    say(&format!("Open this address in your browser:\n\n  {url}\n"));
    let waiting = spinner("waiting for the browser");
    if !no_browser {
        // Not waited for: a browser in the terminal stays until it has had its answer.
        tokio::spawn(open(url, waiting.clone()));
    }
    let patience = patience(&session.options);
    let code = tokio::time::timeout(patience, receiver.receive(pending, waiting.clone())).await;
    waiting.finish_and_clear();
    let code = code.map_err(|_| {
        let patience = humantime::format_duration(patience);
        Failure::transport(format!("nobody logged in within {patience}"))
    })??;
    let token = exchange(client, &code, &session.request).await?;
    let verifiable = client.provider().endpoints().jwks().is_some();
    if token.id_token().is_some() && verifiable {
        client.verify_id_token(&token, &expected).await?;
    }
    Ok(token)
}

fn patience(options: &Options) -> Duration {
    options.timeout.map_or(PATIENCE, |limit| limit.0)
}

async fn open(url: Url, waiting: ProgressBar) {
    let opened = tokio::task::spawn_blocking(move || webbrowser::open(url.as_str())).await;
    if !matches!(opened, Ok(Ok(()))) {
        waiting.suspend(|| say("(no browser could be opened; open it yourself)"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_may_take_as_long_as_the_command() {
        let options = |timeout: Option<&str>| Options {
            timeout: timeout.and_then(|time| time.parse().ok()),
            ..Options::default()
        };
        assert_eq!(patience(&options(None)), PATIENCE);
        assert_eq!(patience(&options(Some("10m"))), 2 * PATIENCE);
    }
}
