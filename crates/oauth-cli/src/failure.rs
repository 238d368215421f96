//! What went wrong, as scripts see it: an exit code, a kind, and one line of JSON.

use std::{error::Error as StdError, io, process::ExitCode};

use oauth_core::{Error, ErrorKind, Recovery, store::StoreError};
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Usage,
    OAuth,
    Protocol,
    Transport,
    Server,
    Store,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::OAuth => "oauth",
            Self::Protocol => "protocol",
            Self::Transport => "transport",
            Self::Server => "server",
            Self::Store => "store",
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::OAuth => 10,
            Self::Protocol => 11,
            Self::Transport => 12,
            Self::Server => 13,
            Self::Store => 14,
        }
    }
}

/// A command that did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    code: Option<String>,
    status: Option<u16>,
    description: String,
    recovery: Recovery,
}

impl Failure {
    pub(crate) fn new(kind: Kind, description: impl Into<String>, recovery: Recovery) -> Self {
        Self {
            kind,
            code: None,
            status: None,
            description: description.into(),
            recovery,
        }
    }

    /// `description` says what to change.
    pub(crate) fn usage(description: impl Into<String>) -> Self {
        Self::new(Kind::Usage, description, Recovery::FixConfiguration)
    }

    pub(crate) fn transport(description: impl Into<String>) -> Self {
        Self::new(
            Kind::Transport,
            description,
            Recovery::Retry { after: None },
        )
    }

    pub(crate) fn store(description: impl Into<String>) -> Self {
        Self::new(Kind::Store, description, Recovery::FixConfiguration)
    }

    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::usage(format!("{what}: {error}"))
    }

    /// The server's word that a token is dead.
    pub(crate) fn inactive() -> Self {
        Self {
            code: Some("invalid_token".to_owned()),
            ..Self::new(Kind::OAuth, "the token is not active", Recovery::Renew)
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.exit_code())
    }

    /// One line.
    pub(crate) fn to_json(&self) -> String {
        let retry_after = match self.recovery {
            Recovery::Retry { after } => after.map(|after| after.as_secs()),
            _ => None,
        };
        let error = json!({
            "kind": self.kind.as_str(),
            "code": self.code,
            "status": self.status,
            "description": self.description,
            "recovery": recovery(self.recovery),
            "retry_after": retry_after,
        });
        json!({ "error": error }).to_string()
    }

    pub(crate) fn to_text(&self) -> String {
        match &self.code {
            Some(code) if !self.description.starts_with(code) => {
                format!("{code}: {}", self.description)
            }
            _ => self.description.clone(),
        }
    }

    /// What a person can do next.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.recovery {
            Recovery::Reauthorize => Some("log in with `oauth login`"),
            Recovery::Renew => Some("get another token with `oauth token --fresh`"),
            _ => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = error.code().map(|code| code.as_str().to_owned());
        let kind = match error.kind() {
            ErrorKind::OAuth => Kind::OAuth,
            ErrorKind::Transport if is_cut_short(&error) => Kind::Protocol,
            ErrorKind::Transport => Kind::Transport,
            // Twitch's name for words that mean nothing to OAuth: no error code.
            ErrorKind::Server if code.as_deref().is_none_or(|code| code == "provider_error") => {
                Kind::Server
            }
            ErrorKind::Server => Kind::OAuth,
            ErrorKind::Store => Kind::Store,
            ErrorKind::Usage => Kind::Usage,
            _ => Kind::Protocol,
        };
        let said = error.oauth_error().and_then(|oauth| oauth.description());
        Self {
            kind,
            status: error.status().map(|status| status.as_u16()),
            description: said.map_or_else(|| chain(&error), str::to_owned),
            recovery: match (error.recovery(), error.retry_after()) {
                (Recovery::Retry { .. }, Some(after)) => Recovery::Retry { after: Some(after) },
                (recovery, _) => recovery,
            },
            code,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let recovery = Error::store(error.clone()).recovery();
        Self::new(Kind::Store, chain(&error), recovery)
    }
}

/// Whether an answer had begun when the connection broke.
fn is_cut_short(error: &Error) -> bool {
    let source = error.transport_error().and_then(StdError::source);
    let source = source.and_then(|source| source.downcast_ref::<reqwest::Error>());
    source.is_some_and(|error| error.is_body() || error.is_decode())
}

/// An error and what caused it, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.replace(['\n', '\r'], " ")
}

fn recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Retry { .. } => "retry",
        Recovery::Renew => "renew",
        Recovery::Reauthorize => "reauthorize",
        Recovery::FixConfiguration => "fix_configuration",
        _ => "give_up",
    }
}
