//! How a token is printed.

use std::time::{Duration, SystemTime};

use oauth_core::{Token, TokenType, manager::ManagedToken};
use serde::Serialize;

use crate::{failure::Failure, options::Output, session::Session, terminal::print};

/// RFC 3339 has four digits for a year; counted from 1970.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);

/// Where a token came from.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    Store,
    Refresh,
    Grant,
}

#[derive(Serialize)]
struct Answer<'a> {
    provider: &'a str,
    subject: Option<&'a str>,
    access_token: &'a str,
    token_type: String,
    scopes: Vec<&'a str>,
    expires_at: Option<String>,
    expires_in: Option<u64>,
    has_refresh_token: bool,
    from: From,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// Prints the token as the options say.
pub(crate) fn print_token(
    session: &Session,
    token: &ManagedToken,
    from: From,
) -> Result<(), Failure> {
    match session.options.output() {
        Output::Text => print(token.expose_secret()),
        Output::Header => {
            let header = token.header()?;
            let value = header
                .to_str()
                .map_err(|_| Failure::usage("the token does not fit into a header"))?;
            print(&format!("Authorization: {value}"))
        }
        Output::Json => {
            let set = token.token_set();
            let now = session.tokens.client().clock().now();
            let refresh_token = set.refresh_token();
            let shown = refresh_token.filter(|_| session.options.show_refresh_token);
            print_json(&Answer {
                provider: session.clients.core.provider().name(),
                subject: session.subject.user_id(),
                access_token: token.expose_secret(),
                token_type: type_name(token.token_type()),
                scopes: token.scopes().iter().collect(),
                expires_at: token.expires_at().and_then(time),
                expires_in: token.expires_at().map(|end| until(end, now)),
                has_refresh_token: refresh_token.is_some(),
                from,
                refresh_token: shown.map(oauth_core::RefreshToken::expose_secret),
            })
        }
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value)
        .map_err(|_| Failure::usage("the answer cannot be written as JSON"))?;
    print(&line)
}

/// RFC 3339, in UTC, to the second; `None` for a time that it has no words for.
pub(crate) fn time(time: SystemTime) -> Option<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since < YEAR_10000).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

pub(crate) fn type_name(token_type: TokenType) -> String {
    token_type.scheme().to_ascii_lowercase()
}

/// In whole seconds.
fn until(end: SystemTime, now: SystemTime) -> u64 {
    end.duration_since(now).unwrap_or(Duration::ZERO).as_secs()
}
