//! How a client wants the person asked (OpenID Connect Core §3.1.2.1): `prompt` and `max_age`.

use std::time::{Duration, SystemTime};

use crate::{
    AuthorizationRequest, AuthorizationServer, AuthorizeError, ErrorCode, OAuthError,
    parameters::Parameters,
};

/// What a client wants of the authorization endpoint's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// `none`: no page at all, or an error.
    None,
    /// `login`: the person is to log in, even if they are logged in.
    Login,
    /// `consent`: the person is to be asked, even if they were before.
    Consent,
    /// `select_account`: the person is to choose who they are.
    SelectAccount,
}

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prompts {
    prompts: Vec<Prompt>,
    max_age: Option<Duration>,
}

impl Prompts {
    pub(crate) fn of(parameters: &Parameters<'_>) -> Result<Self, OAuthError> {
        let asked = parameters.get("prompt").unwrap_or_default();
        // Values that are not known are left alone, as parameters are.
        let known = asked.split(' ').filter_map(|value| match value {
            "none" => Some(Prompt::None),
            "login" => Some(Prompt::Login),
            "consent" => Some(Prompt::Consent),
            "select_account" => Some(Prompt::SelectAccount),
            _ => None,
        });
        let prompts: Vec<_> = known.collect();
        if prompts.contains(&Prompt::None) && asked != "none" {
            let description = "prompt is none and something else";
            return Err(OAuthError::invalid_request(description));
        }
        let seconds = |text: &str| {
            let seconds = text.parse().map(Duration::from_secs);
            seconds.map_err(|_| OAuthError::invalid_request("max_age is no number of seconds"))
        };
        let max_age = parameters.get("max_age").map(seconds).transpose()?;
        Ok(Self { prompts, max_age })
    }
}

impl AuthorizationRequest {
    /// Whether the client asks for this.
    pub fn prompts(&self, prompt: Prompt) -> bool {
        self.prompts.prompts.contains(&prompt)
    }

    /// How long ago the person may have logged in at most, in whole seconds.
    pub fn max_age(&self) -> Option<Duration> {
        self.prompts.max_age
    }

    /// Whether a person who logged in at `authenticated_at` has to log in again for this request.
    pub fn wants_login(&self, authenticated_at: SystemTime, now: SystemTime) -> bool {
        let age = now.duration_since(authenticated_at).unwrap_or_default();
        let too_old = |most: Duration| most.is_zero() || age > most;
        self.prompts(Prompt::Login)
            || self.prompts(Prompt::SelectAccount)
            || self.max_age().is_some_and(too_old)
    }
}

impl AuthorizationServer {
    /// The answer to a request with [`Prompt::None`] of a person who would have to log in.
    pub fn login_required(&self, request: &AuthorizationRequest) -> AuthorizeError {
        let description = "the person would have to log in";
        request.refused(OAuthError::new(ErrorCode::LoginRequired, description))
    }

    /// The answer to a request with [`Prompt::None`] of a person who would have to consent.
    pub fn consent_required(&self, request: &AuthorizationRequest) -> AuthorizeError {
        let description = "the person would have to consent";
        request.refused(OAuthError::new(ErrorCode::ConsentRequired, description))
    }
}
