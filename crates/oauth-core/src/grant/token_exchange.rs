//! Token exchange (RFC 8693): one token for another.

use secrecy::SecretString;

use super::{Grant, client_credentials::write_scopes};
use crate::{Error, Params, Scopes};

/// The token exchange grant (RFC 8693 §2.1).
///
/// The answer's `issued_token_type` is in [`TokenSet::extra`](crate::TokenSet::extra). Its token may
/// be none for requests: then its type is
/// [`TokenType::NotApplicable`](crate::TokenType::NotApplicable).
///
/// ```
/// use oauth_core::grant::TokenExchange;
///
/// let grant = TokenExchange::new("a-token", TokenExchange::ACCESS_TOKEN)
///     .with_audience("https://api.example.com")
///     .with_requested_token_type(TokenExchange::JWT);
/// ```
#[derive(Debug, Clone)]
pub struct TokenExchange {
    subject_token: SecretString,
    subject_token_type: String,
    actor: Option<(SecretString, String)>,
    requested_token_type: Option<String>,
    audiences: Vec<String>,
    resources: Vec<String>,
    scopes: Option<Scopes>,
}

impl TokenExchange {
    /// An access token (RFC 8693 §3).
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// A refresh token (RFC 8693 §3).
    pub const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
    /// An id token (RFC 8693 §3).
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// A JWT (RFC 8693 §3).
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

    /// The exchange of the token of the party on whose behalf the request is made.
    #[must_use]
    pub fn new(
        subject_token: impl Into<SecretString>,
        subject_token_type: impl Into<String>,
    ) -> Self {
        Self {
            subject_token: subject_token.into(),
            subject_token_type: subject_token_type.into(),
            actor: None,
            requested_token_type: None,
            audiences: Vec::new(),
            resources: Vec::new(),
            scopes: None,
        }
    }

    /// Adds the token of the party that acts.
    #[must_use]
    pub fn with_actor(
        mut self,
        token: impl Into<SecretString>,
        token_type: impl Into<String>,
    ) -> Self {
        self.actor = Some((token.into(), token_type.into()));
        self
    }

    /// Asks for a token of this type.
    #[must_use]
    pub fn with_requested_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.requested_token_type = Some(token_type.into());
        self
    }

    /// Names a service that the token is for, by a name that the server knows. May come several
    /// times.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Names a service that the token is for, by its URI: absolute, without a fragment. May come
    /// several times.
    #[must_use]
    pub fn with_resource(mut self, uri: impl Into<String>) -> Self {
        self.resources.push(uri.into());
        self
    }

    /// Asks for these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl Grant for TokenExchange {
    fn grant_type(&self) -> &str {
        "urn:ietf:params:oauth:grant-type:token-exchange"
    }

    fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    fn write(&self, params: &mut Params) {
        for resource in &self.resources {
            params.push("resource", resource);
        }
        for audience in &self.audiences {
            params.push("audience", audience);
        }
        write_scopes(self.scopes.as_ref(), params);
        if let Some(token_type) = &self.requested_token_type {
            params.push("requested_token_type", token_type);
        }
        params.push_secret("subject_token", &self.subject_token);
        params.push("subject_token_type", &self.subject_token_type);
        if let Some((token, token_type)) = &self.actor {
            params.push_secret("actor_token", token);
            params.push("actor_token_type", token_type);
        }
    }

    fn is_token_exchange(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), Error> {
        let types = self.actor.iter().map(|(_, token_type)| token_type);
        if types
            .chain([&self.subject_token_type])
            .any(String::is_empty)
        {
            return Err(Error::usage(
                "a token exchange names no type of a token (RFC 8693 section 2.1)",
            ));
        }
        self.resources
            .iter()
            .try_for_each(|resource| check_resource(resource))
    }
}

/// Refuses what cannot name a protected resource.
pub(crate) fn check_resource(resource: &str) -> Result<(), Error> {
    if url::Url::parse(resource).is_ok_and(|uri| uri.fragment().is_none()) {
        return Ok(());
    }
    Err(Error::usage(
        "a resource is not an absolute URI without a fragment (RFC 8707 section 2)",
    ))
}
