//! `oauth login`: a user's tokens, by the browser or another device.

use std::time::Duration;

use oauth_core::{TokenSet, openid::Expected};
use url::Url;

use crate::{
    arguments, device,
    failure::Failure,
    loopback::Receiver,
    options::GrantName,
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
    let by_device = device || options.grant == Some(GrantName::DeviceCode);
    let session = Session::open(options, running).await?;
    let token = if by_device {
        device::log_in(&session.clients.core, session.scopes.as_ref()).await?
    } else {
        by_browser(&session, no_browser).await?
    };
    let kept = session.tokens.replace(&session.subject, token).await?;
    let end = kept.expires_at().map_or_else(
        || "without an end".to_owned(),
        |end| format!("until {}", time(end)),
    );
    say(&format!("logged in, {end}"));
    if session.options.output.is_some() {
        return finish(&session, &kept, From::Grant).await;
    }
    Ok(())
}

/// The code flow with PKCE, over a loopback redirect (RFC 8252).
async fn by_browser(session: &Session, no_browser: bool) -> Result<TokenSet, Failure> {
    let client = &session.clients.core;
    let receiver = Receiver::bind(session.options.redirect_uri.as_deref()).await?;
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
    if !no_browser {
        open(url).await;
    }
    let waiting = spinner("waiting for the browser");
    let code = tokio::time::timeout(PATIENCE, receiver.receive(pending)).await;
    waiting.finish_and_clear();
    let code = code.map_err(|_| Failure::transport("nobody logged in within 5 minutes"))??;
    let token = client.exchange(&code).await?;
    let verifiable = client.provider().endpoints().jwks().is_some();
    if token.id_token().is_some() && verifiable {
        client.verify_id_token(&token, &expected).await?;
    }
    Ok(token)
}

async fn open(url: Url) {
    let opened = tokio::task::spawn_blocking(move || webbrowser::open(url.as_str())).await;
    if !matches!(opened, Ok(Ok(()))) {
        say("(no browser could be opened; open it yourself)");
    }
}
