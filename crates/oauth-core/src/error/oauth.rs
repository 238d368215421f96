//! What a server says when it refuses (RFC 6749 §5.2 and its kin), cleaned before it is shown.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Recovery;
use crate::response;

/// The longest text of a server that is kept for showing, in characters.
const SHOWN: usize = 256;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// An error code of the OAuth registry, or another one as text.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code that is not in the registry, cleaned.
            Other(Box<str>),
        }

        impl ErrorCode {
            /// The code for `text`. Letter case counts: `INVALID_GRANT` is not `invalid_grant`.
            #[must_use]
            pub fn new(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(clean(other).into()),
                }
            }

            /// The code as the registry writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }
    };
}

codes! {
    /// RFC 6749 §5.2.
    InvalidRequest = "invalid_request",
    /// RFC 6749 §5.2.
    InvalidClient = "invalid_client",
    /// RFC 6749 §5.2: the only code that ends a refresh token.
    InvalidGrant = "invalid_grant",
    /// RFC 6749 §5.2.
    UnauthorizedClient = "unauthorized_client",
    /// RFC 6749 §5.2.
    UnsupportedGrantType = "unsupported_grant_type",
    /// RFC 6749 §5.2.
    InvalidScope = "invalid_scope",
    /// RFC 6749 §4.1.2.1.
    AccessDenied = "access_denied",
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType = "unsupported_response_type",
    /// RFC 6749 §4.1.2.1.
    ServerError = "server_error",
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// RFC 8628 §3.5.
    AuthorizationPending = "authorization_pending",
    /// RFC 8628 §3.5.
    SlowDown = "slow_down",
    /// RFC 8628 §3.5.
    ExpiredToken = "expired_token",
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType = "unsupported_token_type",
    /// RFC 8707 §2.
    InvalidTarget = "invalid_target",
    /// RFC 9449 §5.
    InvalidDpopProof = "invalid_dpop_proof",
    /// RFC 9449 §8.
    UseDpopNonce = "use_dpop_nonce",
    /// RFC 6750 §3.1.
    InvalidToken = "invalid_token",
    /// RFC 6750 §3.1.
    InsufficientScope = "insufficient_scope",
}

impl ErrorCode {
    /// Whether the code is one of the registry.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    pub(super) fn recovery(&self, after: Option<Duration>) -> Recovery {
        match self {
            Self::InvalidToken => Recovery::Renew,
            Self::InvalidGrant | Self::AccessDenied | Self::ExpiredToken => Recovery::Reauthorize,
            Self::AuthorizationPending
            | Self::SlowDown
            | Self::ServerError
            | Self::TemporarilyUnavailable => Recovery::Retry { after },
            Self::InvalidRequest
            | Self::InvalidClient
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::UnsupportedTokenType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidDpopProof
            | Self::InsufficientScope => Recovery::FixConfiguration,
            Self::UseDpopNonce | Self::Other(_) => Recovery::GiveUp,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: code, cleaned description, and whatever else the answer had.
#[derive(Clone, PartialEq)]
pub struct OAuthError {
    code: ErrorCode,
    description: Option<String>,
    uri: Option<String>,
    extra: Map<String, Value>,
}

impl OAuthError {
    /// A refusal with this code.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            description: None,
            uri: None,
            extra: Map::new(),
        }
    }

    /// The refusal in an answer, as RFC 6749 §5.2 writes it: a JSON object, or a form, whose
    /// `error` is a text that is not empty.
    #[must_use]
    pub fn from_response(response: &http::Response<Bytes>) -> Option<Self> {
        match response::json_object(response) {
            Ok(members) => Self::from_members(members),
            Err(_) => Self::from_members(response::form_object(response)?),
        }
    }

    /// As [`OAuthError::from_response`], from members that were read already.
    #[must_use]
    pub fn from_members(mut members: Map<String, Value>) -> Option<Self> {
        let code = match members.remove("error")? {
            Value::String(code) if !code.is_empty() => ErrorCode::new(&code),
            _ => return None,
        };
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(clean(&text)),
            _ => None,
        };
        Some(Self {
            code,
            description: text("error_description"),
            uri: text("error_uri"),
            extra: members,
        })
    }

    /// Sets the code, where the caller knows better than the server's words what was refused.
    #[must_use]
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = code;
        self
    }

    /// Sets the description, cleaned.
    #[must_use]
    pub fn with_description(mut self, description: &str) -> Self {
        self.description = Some(clean(description));
        self
    }

    /// Sets the further members of the answer.
    #[must_use]
    pub fn with_extra(mut self, extra: Map<String, Value>) -> Self {
        self.extra = extra;
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// What the server said beside it, without control characters, at most 256 characters,
    /// with every secret of the request masked.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The `error_uri`, cleaned. It is never opened.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The further members of the answer. They are the server's words: don't log them.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    pub(super) fn mask(&mut self, secrets: &[&SecretString]) {
        let mut texts = [&mut self.description, &mut self.uri];
        for text in texts.iter_mut().filter_map(|text| text.as_mut()) {
            mask_text(text, secrets);
        }
        if let ErrorCode::Other(text) = &mut self.code {
            let mut owned = text.to_string();
            mask_text(&mut owned, secrets);
            *text = owned.into();
        }
        for value in self.extra.values_mut() {
            mask_value(value, secrets);
        }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthError")
            .field("code", &self.code)
            .field("description", &self.description)
            .field("uri", &self.uri)
            .field("extra", &format_args!("{} members", self.extra.len()))
            .finish()
    }
}

/// Text of a server made fit to be shown: no control characters, cut.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect()
}

/// A header's value made fit to be shown.
pub(crate) fn clean_header(value: &HeaderValue) -> Option<String> {
    value
        .to_str()
        .ok()
        .filter(|text| !text.is_empty())
        .map(clean)
}

pub(super) fn mask_text(text: &mut String, secrets: &[&SecretString]) {
    for secret in secrets {
        let secret = secret.expose_secret();
        // Shorter ones would mask ordinary words; a secret that short protects nothing.
        if secret.len() < 4 {
            continue;
        }
        hide(text, secret);
        // A server may repeat the request's body, where the secret was form-encoded.
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let form = Zeroizing::new(form);
        if *form != secret {
            hide(text, &form);
            hide(text, &Zeroizing::new(form.replace('+', "%20")));
        }
    }
}

fn hide(text: &mut String, secret: &str) {
    if text.contains(secret) {
        *text = text.replace(secret, "***");
    }
    // The text was cut: a secret may have been cut with it.
    let cut = secret
        .char_indices()
        .map(|(at, _)| &secret[..at])
        .filter(|start| start.len() >= 4);
    if let Some(start) = cut.rev().find(|start| text.ends_with(start)) {
        text.truncate(text.len() - start.len());
        text.push_str("***");
    }
}

fn mask_value(value: &mut Value, secrets: &[&SecretString]) {
    match value {
        Value::String(text) => mask_text(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_value(item, secrets)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| mask_value(member, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_as_it_is_as_a_form_has_it_and_where_the_text_was_cut() {
        let secret = SecretString::from("a secret+/=");
        for text in [
            "no: a secret+/=",
            "no: a+secret%2B%2F%3D",
            "no: a%20secret%2B%2F%3D",
            "no: a secr",
            "no: a%20secret%2",
        ] {
            let mut masked = text.to_owned();
            mask_text(&mut masked, &[&secret]);
            assert_eq!(masked, "no: ***", "{text}");
        }
    }
}
