//! `oauth validate`, `introspect` and `userinfo`: what the provider says of a token.

use oauth_core::{
    AccessToken, Error, ErrorCode, TokenSet,
    secrecy::{ExposeSecret, SecretString},
};
use serde_json::{Map, Value, json};

use crate::{
    failure::Failure,
    options::{Options, Output, ProviderName},
    output::{print_json, time},
    session::{Running, Session},
    terminal::print,
};

/// The token that was given, else the stored one.
enum Asked {
    Given(SecretString),
    Stored(Box<TokenSet>),
}

impl Asked {
    async fn of(session: &Session) -> Result<Self, Failure> {
        Ok(match &session.secrets.token {
            Some(token) => Self::Given(token.clone()),
            None => Self::Stored(Box::new(session.stored_token().await?)),
        })
    }

    fn secret(&self) -> SecretString {
        use oauth_core::Token;
        match self {
            Self::Given(token) => token.clone(),
            Self::Stored(set) => set.access_token().expose_secret().into(),
        }
    }

    fn access_token(&self) -> Result<AccessToken, Error> {
        AccessToken::new(self.secret().expose_secret())
    }
}

pub(crate) async fn validate(options: Options, running: &Running) -> Result<(), Failure> {
    let session = Session::open(options, running).await?;
    let token = Asked::of(&session).await?;
    let answer = match &session.clients.twitch {
        Some(twitch) => twitch_says(twitch, &token.access_token()?).await?,
        None => others_say(&session, &token).await?,
    };
    show(&session, &answer)
}

pub(crate) async fn introspect(options: Options, running: &Running) -> Result<(), Failure> {
    let session = Session::open(options, running).await?;
    let token = Asked::of(&session).await?;
    let said = session
        .clients
        .core
        .introspect(&token.secret(), None)
        .await?;
    let mut answer = Map::from_iter([("active".to_owned(), said.is_active().into())]);
    answer.extend(said.members().clone());
    show(&session, &answer)
}

pub(crate) async fn userinfo(options: Options, running: &Running) -> Result<(), Failure> {
    let session = Session::open(options, running).await?;
    let token = Asked::of(&session).await?;
    let claims = match &token {
        Asked::Given(_) => {
            session
                .clients
                .core
                .userinfo(&token.access_token()?)
                .await?
        }
        Asked::Stored(set) => session.clients.core.userinfo_of(&**set).await?,
    };
    show(&session, claims.claims())
}

async fn twitch_says(
    twitch: &twitch::Client,
    token: &AccessToken,
) -> Result<Map<String, Value>, Failure> {
    let said = twitch.token_validate(token).await?;
    Ok(object(json!({
        "valid": true,
        "client_id": said.client_id(),
        "login": said.login(),
        "user_id": said.user_id(),
        "scopes": said.scopes().iter().collect::<Vec<_>>(),
        "expires_in": said.expires_in().map(|left| left.as_secs()),
    })))
}

/// Introspection where there is one, else userinfo, which a valid token may not be good enough for.
async fn others_say(session: &Session, token: &Asked) -> Result<Map<String, Value>, Failure> {
    let client = &session.clients.core;
    let endpoints = client.provider().endpoints();
    // Ministry Platform names an introspection endpoint that no client is known to use.
    let platform = client.provider().name() == "ministry-platform";
    if endpoints.introspection().is_some() && !platform {
        let said = client.introspect(&token.secret(), None).await?;
        if !said.is_active() {
            return Err(Failure::inactive());
        }
        return Ok(object(json!({
            "valid": true,
            "client_id": said.client_id(),
            "subject": said.subject(),
            "scopes": said.scopes().map(|scopes| scopes.iter().map(str::to_owned).collect::<Vec<_>>()),
            "expires_at": said.expires_at().and_then(time),
        })));
    }
    if endpoints.userinfo().is_none() {
        let advice = match session.options.provider() {
            ProviderName::Generic => "; name one with --introspect-url or --userinfo-url",
            _ => "",
        };
        return Err(Failure::usage(format!(
            "this provider has no endpoint that says whether a token works{advice}"
        )));
    }
    match client.userinfo(&token.access_token()?).await {
        Ok(claims) => Ok(object(
            json!({ "valid": true, "subject": claims.subject() }),
        )),
        Err(error) if error.code() == Some(&ErrorCode::InsufficientScope) => {
            Ok(object(json!({ "valid": true, "subject": null })))
        }
        Err(error) => Err(error.into()),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn show(session: &Session, answer: &Map<String, Value>) -> Result<(), Failure> {
    if session.options.output() == Output::Json {
        return print_json(answer);
    }
    for (name, value) in answer {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => plain(text),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .map(plain)
                .collect::<Vec<_>>()
                .join(" "),
            other => other.to_string(),
        };
        print(format!("{name}: {text}").trim_end())?;
    }
    Ok(())
}

/// Without what could move a terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
