//! The introspection endpoint (RFC 7662).

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Call, Client, TokenTypeHint};
use crate::{EndpointKind, Error, Params, Replay, Scopes, response::json_object};

/// What a server says of a token (RFC 7662 §2.2). When it is not active, nothing else is known of
/// it, whatever else the answer had.
#[derive(Clone, PartialEq)]
pub struct Introspection {
    active: bool,
    members: Map<String, Value>,
}

impl Client {
    /// Asks what a token is (RFC 7662 §2.1).
    ///
    /// # Errors
    /// As for every endpoint; a protocol error when `active` is not a JSON boolean.
    pub async fn introspect(
        &self,
        token: &SecretString,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection, Error> {
        let endpoint = EndpointKind::Introspection;
        let url = self.endpoint(self.provider().endpoints().introspection(), endpoint)?;
        let mut params = Params::new();
        params.push_secret("token", token);
        if let Some(hint) = hint {
            params.push("token_type_hint", hint.as_str());
        }
        let call = Call::new(endpoint, Replay::Always).with_secret(token.clone());
        let answer = self.post(url, &params, None, &call).await?;
        json_object(&answer.response)
            .and_then(Introspection::from_members)
            .map_err(|error| self.finish(self.describe(error, &answer.response), &call))
    }
}

impl Introspection {
    fn from_members(mut members: Map<String, Value>) -> Result<Self, Error> {
        match members.remove("active") {
            Some(Value::Bool(true)) => Ok(Self {
                active: true,
                members,
            }),
            Some(Value::Bool(false)) => Ok(Self {
                active: false,
                members: Map::new(),
            }),
            _ => Err(Error::protocol(
                "member \"active\" is not a JSON boolean (RFC 7662 section 2.2)",
            )),
        }
    }

    /// Whether the token is valid now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// The scopes of the token; `None` when the answer names none that can be read.
    #[must_use]
    pub fn scopes(&self) -> Option<Scopes> {
        Scopes::from_answer(self.members.get("scope")?)
            .ok()
            .flatten()
    }

    /// The client the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// The user, readable by people.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.text("username")
    }

    /// The subject: whose token it is.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// When the token ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        let seconds = self.members.get("exp")?.as_u64()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Every member but `active`, as it came.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("active", &self.active)
            .field("members", &format_args!("{}", self.members.len()))
            .finish()
    }
}
