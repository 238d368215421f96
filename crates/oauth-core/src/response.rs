//! The one tolerant reader of token answers, for every grant, and the strict JSON reader under it.
//!
//! Tolerant where servers differ without harm (RFC 6749 §5.1: `scope` as an array, `expires_in` as
//! a text, members nobody knows), strict where a guess could turn an error into a token.

mod json;
mod nonce;
mod number;
mod time;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::{
    AccessToken, Error, OAuthError, RefreshToken, Scopes, TokenSet, TokenType, error::clean,
};
pub(crate) use json::form_object;
pub use json::json_object;
#[cfg(any(feature = "dpop", feature = "jwt-assertion", feature = "openid"))]
pub(crate) use json::object;
pub(crate) use nonce::dpop_nonce;
pub(crate) use number::seconds as lifetime;
pub use time::retry_after;

/// What the reader must know beside the answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenContext {
    /// The scopes that were asked for: granted, when the answer is silent (RFC 6749 §5.1).
    pub requested_scopes: Option<Scopes>,
    /// The moment before the request was sent.
    pub issued_at: SystemTime,
    /// The refresh token that was sent: kept, when the answer brings none (RFC 6749 §6).
    pub refresh_token: Option<RefreshToken>,
    /// Whether the request carried a proof of a key, so that the token may be bound to it
    /// (RFC 9449 §5).
    pub dpop: bool,
    /// Whether it was a token exchange, whose answer may be no access token (RFC 8693 §2.2.1).
    pub token_exchange: bool,
}

impl TokenContext {
    /// An answer to a request of `issued_at`.
    #[must_use]
    pub fn new(issued_at: SystemTime) -> Self {
        Self {
            requested_scopes: None,
            issued_at,
            refresh_token: None,
            dpop: false,
            token_exchange: false,
        }
    }
}

type Rewrite<'a> = Box<dyn Fn(&mut Map<String, Value>) + Send + Sync + 'a>;

/// Reads token answers. A provider's [`token_response`](crate::Provider::token_response) says what
/// its server does differently; the rest stays the same for all.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_core::{Token, TokenContext, TokenReader};
///
/// let answer = http::Response::new(r#"{"access_token":"a","scope":["x","y"],"expires_in":"60"}"#.into());
/// let context = TokenContext::new(SystemTime::UNIX_EPOCH);
/// let token = TokenReader::new(&context).default_token_type("bearer").read(&answer)?;
/// assert_eq!(token.scopes().len(), 2);
/// assert_eq!(token.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
/// # Ok::<(), oauth_core::Error>(())
/// ```
pub struct TokenReader<'a> {
    context: &'a TokenContext,
    rewrite: Option<Rewrite<'a>>,
    default_token_type: Option<&'a str>,
    bearer_types: &'a [&'a str],
    default_lifetime: Option<Duration>,
    form: bool,
    json_media_type_only: bool,
}

impl std::fmt::Debug for TokenReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenReader")
            .field("default_token_type", &self.default_token_type)
            .field("bearer_types", &self.bearer_types)
            .field("default_lifetime", &self.default_lifetime)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl<'a> TokenReader<'a> {
    /// A reader for a server without bends.
    #[must_use]
    pub fn new(context: &'a TokenContext) -> Self {
        Self {
            context,
            rewrite: None,
            default_token_type: None,
            bearer_types: &[],
            default_lifetime: None,
            form: false,
            json_media_type_only: false,
        }
    }

    /// Changes the members of the answer before they are read: other names, other meanings.
    #[must_use]
    pub fn rewrite(mut self, rewrite: impl Fn(&mut Map<String, Value>) + Send + Sync + 'a) -> Self {
        self.rewrite = Some(Box::new(rewrite));
        self
    }

    /// The token type of an answer that names none. Without it such an answer is an error.
    #[must_use]
    pub fn default_token_type(mut self, token_type: &'a str) -> Self {
        self.default_token_type = Some(token_type);
        self
    }

    /// Further names of the Bearer type, in lower case.
    #[must_use]
    pub fn bearer_types(mut self, types: &'a [&'a str]) -> Self {
        self.bearer_types = types;
        self
    }

    /// The lifetime of a token whose answer names none. Without it the expiry is unknown.
    #[must_use]
    pub fn default_lifetime(mut self, lifetime: Duration) -> Self {
        self.default_lifetime = Some(lifetime);
        self
    }

    /// Reads an answer that is not JSON as a form.
    #[must_use]
    pub fn form(mut self, form: bool) -> Self {
        self.form = form;
        self
    }

    /// Refuses JSON that is sent as another media type.
    #[must_use]
    pub fn json_media_type_only(mut self, only: bool) -> Self {
        self.json_media_type_only = only;
        self
    }

    /// The tokens in `response`.
    ///
    /// # Errors
    /// An OAuth error when the answer carries an `error`; a protocol error, which repeats nothing
    /// of the answer, when it holds no token or a member of the wrong type.
    pub fn read(self, response: &http::Response<Bytes>) -> Result<TokenSet, Error> {
        if self.json_media_type_only
            && !media_type(response.headers()).eq_ignore_ascii_case("application/json")
        {
            return Err(not_an_answer(response));
        }
        let mut members = match json_object(response) {
            Ok(members) => members,
            Err(error) => {
                let form = if self.form {
                    form_object(response)
                } else {
                    None
                };
                form.ok_or(error)?
            }
        };
        if let Some(rewrite) = &self.rewrite {
            rewrite(&mut members);
        }
        if members
            .get("error")
            .and_then(Value::as_str)
            .is_some_and(|code| !code.is_empty())
            && let Some(error) = OAuthError::from_members(members.clone())
        {
            return Err(Error::oauth(error));
        }
        // Whatever else is wrong with the answer: the server may have ended the old one for this.
        let rotated = match members.get("refresh_token") {
            Some(Value::String(text)) => RefreshToken::new(text).ok(),
            _ => None,
        };
        self.read_members(members)
            .map_err(|error| error.with_refresh_token(rotated))
    }

    fn read_members(&self, mut members: Map<String, Value>) -> Result<TokenSet, Error> {
        let access_token = match members.remove("access_token") {
            Some(Value::String(text)) => AccessToken::new(text).map_err(|_| {
                Error::protocol(
                    "member \"access_token\" is empty or has a character outside printable ASCII",
                )
            })?,
            Some(_) => return Err(Error::protocol("member \"access_token\" is not a text")),
            None => return Err(Error::protocol("member \"access_token\" is missing")),
        };
        let token_type = self.token_type(members.remove("token_type"))?;
        if self.context.token_exchange
            && !members
                .get("issued_token_type")
                .is_some_and(Value::is_string)
        {
            return Err(Error::protocol(
                "member \"issued_token_type\" is missing or not a text (RFC 8693 section 2.2.1)",
            ));
        }
        let lifetime = match members.remove("expires_in") {
            None | Some(Value::Null) => self.default_lifetime,
            Some(value) => Some(number::seconds(&value, "expires_in")?),
        };
        let refresh_token = match members.remove("refresh_token") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(RefreshToken::new(text).map_err(|_| {
                Error::protocol("member \"refresh_token\" has a character outside printable ASCII")
            })?),
            Some(_) => return Err(Error::protocol("member \"refresh_token\" is not a text")),
        };
        let granted = members
            .remove("scope")
            .map(|scope| Scopes::from_answer(&scope))
            .transpose()?
            .flatten();
        let scopes = granted
            .or_else(|| self.context.requested_scopes.clone())
            .unwrap_or_default();
        let issued_at = self.context.issued_at;
        Ok(TokenSet::new(access_token, issued_at)
            .with_token_type(token_type)
            // A clock so late that the sum overflows cannot say when the token ends.
            .with_expires_at(lifetime.and_then(|lifetime| issued_at.checked_add(lifetime)))
            .with_scopes(scopes)
            .with_refresh_token(refresh_token.or_else(|| self.context.refresh_token.clone()))
            .with_extra(members))
    }

    fn token_type(&self, value: Option<Value>) -> Result<TokenType, Error> {
        let named = match &value {
            Some(Value::String(text)) if !text.is_empty() => Some(text.as_str()),
            Some(Value::String(_) | Value::Null) | None => None,
            Some(_) => return Err(Error::protocol("member \"token_type\" is not a text")),
        };
        let Some(named) = named.or(self.default_token_type) else {
            return Err(Error::protocol(
                "member \"token_type\" is missing (RFC 6749 section 5.1)",
            ));
        };
        let known = |name: &&str| named.eq_ignore_ascii_case(name);
        if self.bearer_types.iter().any(known) {
            return Ok(TokenType::Bearer);
        }
        match TokenType::from_name(named) {
            Some(TokenType::Bearer) => Ok(TokenType::Bearer),
            Some(TokenType::Dpop) if self.context.dpop => Ok(TokenType::Dpop),
            Some(TokenType::NotApplicable) if self.context.token_exchange => {
                Ok(TokenType::NotApplicable)
            }
            // An unknown type must never be used as Bearer (RFC 6749 §7.1).
            _ => Err(Error::protocol(
                "member \"token_type\" names a type other than Bearer, or one that was not asked for",
            )),
        }
    }
}

/// The media type of an answer, fit to be shown; empty when it names none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    clean(value.split(';').next().unwrap_or_default().trim())
        .chars()
        .take(64)
        .collect()
}

/// What to say of an answer that is not a JSON object: everything but its text.
pub(crate) fn not_an_answer(response: &http::Response<Bytes>) -> Error {
    let media_type = match media_type(response.headers()) {
        named if named.is_empty() => "no media type".to_owned(),
        named => named,
    };
    Error::protocol(format!(
        "the answer is not a JSON object ({media_type}, {} bytes)",
        response.body().len()
    ))
}

#[cfg(test)]
mod tests;
