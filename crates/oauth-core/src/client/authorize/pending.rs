//! An authorization that the user has not come back from.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::callback::Callback;
use crate::{EndpointKind, Error, OAuthError, Scopes, grant::AuthorizationCode};

/// What to keep in the user's session between the redirect and the callback, and nowhere else:
/// it ties the code to the browser that asked for it (RFC 9700 §2.1).
pub struct PendingAuthorization {
    state: SecretString,
    code_verifier: Option<SecretString>,
    redirect_uri: String,
    scopes: Option<Scopes>,
    issuer: Option<String>,
    iss_required: bool,
    nonce: Option<String>,
    /// When what was pushed ends, in seconds since the Unix epoch.
    request_ends: Option<u64>,
    accepted: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    code_verifier: Option<String>,
    redirect_uri: String,
    scopes: Option<Vec<String>>,
    issuer: Option<String>,
    iss_required: bool,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    request_ends: Option<u64>,
    accepted: bool,
}

impl PendingAuthorization {
    pub(super) fn new(
        state: SecretString,
        code_verifier: Option<SecretString>,
        redirect_uri: String,
        scopes: Option<Scopes>,
        issuer: Option<String>,
        iss_required: bool,
    ) -> Self {
        Self {
            state,
            code_verifier,
            redirect_uri,
            scopes,
            issuer,
            iss_required,
            nonce: None,
            request_ends: None,
            accepted: false,
        }
    }

    pub(super) fn with_nonce(mut self, nonce: Option<String>) -> Self {
        self.nonce = nonce;
        self
    }

    pub(super) fn with_request_end(mut self, end: Option<SystemTime>) -> Self {
        let since = end.map(|end| end.duration_since(SystemTime::UNIX_EPOCH));
        self.request_ends = since.map(|since| since.unwrap_or_default().as_secs());
        self
    }

    /// The `nonce` that was sent: the id token must have it (OpenID Connect Core §3.1.3.7).
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// When a [pushed](crate::AuthorizationRequest::push) request ends: the user must have been
    /// sent to the URL by then (RFC 9126 §2.2). `None` for one that was not pushed.
    #[must_use]
    pub fn request_ends_at(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.request_ends?))
    }

    /// The code in a callback, ready for [`Client::exchange`](crate::Client::exchange): the
    /// callback's whole URL, or its query alone.
    ///
    /// A callback that does not belong here leaves everything as it was, for its real owner. One
    /// that does can be accepted once.
    ///
    /// # Errors
    /// A usage error when the callback was accepted before; a protocol error when `state` or `iss`
    /// (RFC 9207) is missing or another one, or a parameter comes twice; the server's own error,
    /// such as `access_denied`, when it sent one.
    pub fn accept(&mut self, callback: &str) -> Result<AuthorizationCode, Error> {
        self.read(callback)
            .map_err(|error| error.at(EndpointKind::Authorization))
    }

    fn read(&mut self, callback: &str) -> Result<AuthorizationCode, Error> {
        let callback = Callback::parse(callback)?;
        if self.accepted {
            return Err(Error::usage(
                "this authorization was completed before; begin a new one",
            ));
        }
        self.check_state(callback.state())?;
        self.check_issuer(callback.issuer())?;
        if let Some(error) = callback.error() {
            self.accepted = true;
            return Err(Error::oauth(error));
        }
        let code = callback.code()?;
        self.accepted = true;
        let mut grant = AuthorizationCode::new(code).with_redirect_uri(&self.redirect_uri);
        if let Some(code_verifier) = &self.code_verifier {
            grant = grant.with_code_verifier(code_verifier.clone());
        }
        Ok(match &self.scopes {
            Some(scopes) => grant.with_requested_scopes(scopes.clone()),
            None => grant,
        })
    }

    fn check_state(&self, state: Option<&str>) -> Result<(), Error> {
        let same = state.is_some_and(|state| {
            state
                .as_bytes()
                .ct_eq(self.state.expose_secret().as_bytes())
                .into()
        });
        if same {
            return Ok(());
        }
        Err(Error::protocol(
            "the callback's state is missing or another one; it belongs to another browser or is forged (RFC 6749 section 10.12)",
        ))
    }

    fn check_issuer(&self, named: Option<&str>) -> Result<(), Error> {
        match (&self.issuer, named) {
            (Some(issuer), Some(named)) if issuer != named => Err(Error::protocol(
                "the callback comes from another issuer (RFC 9207 section 2.4)",
            )),
            (_, None) if self.iss_required => Err(Error::protocol(
                "the callback names no issuer, though the server always does (RFC 9207 section 2.4)",
            )),
            _ => Ok(()),
        }
    }

    /// As JSON, secrets in clear, for the user's session on the server side.
    #[must_use]
    pub fn to_json(&self) -> SecretString {
        let kept = Kept {
            state: self.state.expose_secret().to_owned(),
            code_verifier: self
                .code_verifier
                .as_ref()
                .map(|verifier| verifier.expose_secret().to_owned()),
            redirect_uri: self.redirect_uri.clone(),
            scopes: self
                .scopes
                .as_ref()
                .map(|scopes| scopes.iter().map(str::to_owned).collect()),
            issuer: self.issuer.clone(),
            iss_required: self.iss_required,
            nonce: self.nonce.clone(),
            request_ends: self.request_ends,
            accepted: self.accepted,
        };
        let text = crate::wiped::json(&kept);
        drop(Zeroizing::new(kept.state));
        drop(kept.code_verifier.map(Zeroizing::new));
        text
    }

    /// What [`PendingAuthorization::to_json`] wrote.
    ///
    /// # Errors
    /// A usage error when the text is something else.
    pub fn from_json(text: &SecretString) -> Result<Self, Error> {
        let kept: Kept = serde_json::from_str(text.expose_secret()).map_err(|_| {
            Error::usage("this is not an authorization that was kept by this library")
        })?;
        Ok(Self {
            state: kept.state.into(),
            code_verifier: kept.code_verifier.map(Into::into),
            redirect_uri: kept.redirect_uri,
            scopes: kept.scopes.map(Scopes::new).transpose()?,
            issuer: kept.issuer,
            iss_required: kept.iss_required,
            nonce: kept.nonce,
            request_ends: kept.request_ends,
            accepted: kept.accepted,
        })
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .field("issuer", &self.issuer)
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// The refusal in a callback (RFC 6749 §4.1.2.1).
pub(super) fn refusal(code: &str, description: Option<&str>) -> OAuthError {
    let error = OAuthError::new(crate::ErrorCode::new(code));
    match description {
        Some(description) => error.with_description(description),
        None => error,
    }
}
