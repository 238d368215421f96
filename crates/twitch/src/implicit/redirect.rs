//! What the user comes back with.

use std::{collections::BTreeMap, fmt, time::SystemTime};

use oauth_core::{
    AccessToken, EndpointKind, Error, ErrorCode, OAuthError, Scopes, TokenSet,
    secrecy::{ExposeSecret, SecretString},
};
use subtle::ConstantTimeEq;

/// What to keep until the user comes back; [`accept`](Self::accept) reads the answer.
///
/// ```
/// use twitch::PendingImplicit;
///
/// let pending = PendingImplicit::from_state("c3ab8aa609ea11e793ae92361f002671")?;
/// let grant = pending.accept(
///     "http://localhost:3000/#access_token=73d0f8&scope=chat%3Aread&state=c3ab8aa609ea11e793ae92361f002671&token_type=bearer",
/// )?;
/// assert!(grant.access_token().is_some());
/// assert_eq!(grant.scopes().to_string(), "chat:read");
/// # Ok::<(), twitch::oauth_core::Error>(())
/// ```
pub struct PendingImplicit {
    state: SecretString,
}

/// What came in the fragment. It names no lifetime:
/// [`UserToken::from_existing`](crate::UserToken::from_existing) asks for that.
#[derive(Clone)]
pub struct ImplicitGrant {
    access_token: Option<AccessToken>,
    id_token: Option<SecretString>,
    scopes: Scopes,
}

impl PendingImplicit {
    /// One whose `state` was kept elsewhere, in the page's session storage for instance.
    ///
    /// # Errors
    /// A usage error when the state is empty: it would be equal to one that is missing.
    pub fn from_state(state: impl Into<SecretString>) -> Result<Self, Error> {
        let state = state.into();
        if state.expose_secret().is_empty() {
            return Err(Error::usage("the state is empty"));
        }
        Ok(Self { state })
    }

    /// The `state`, to be kept.
    #[must_use]
    pub fn state(&self) -> &SecretString {
        &self.state
    }

    /// The grant in a redirect: the whole URL that the user came back to, fragment and all.
    ///
    /// # Errors
    /// A protocol error when `state` is missing or another one, a parameter comes twice, or
    /// there is neither token; Twitch's own refusal, such as `access_denied`, when it sent one.
    pub fn accept(&self, redirect: &str) -> Result<ImplicitGrant, Error> {
        self.read(redirect)
            .map_err(|error| error.at(EndpointKind::Authorization))
    }

    fn read(&self, redirect: &str) -> Result<ImplicitGrant, Error> {
        let (front, fragment) = redirect.split_once('#').unwrap_or((redirect, ""));
        let query = front.split_once('?').map_or("", |(_, query)| query);
        let answer = Answer::parse(fragment)?;
        let refusal = Answer::parse(query)?;
        // A refusal comes in the query, tokens in the fragment: they are never mixed.
        let given = if refusal.get("error").is_some() {
            &refusal
        } else {
            &answer
        };
        let state = given.get("state").unwrap_or_default();
        if !bool::from(
            state
                .as_bytes()
                .ct_eq(self.state.expose_secret().as_bytes()),
        ) {
            return Err(Error::protocol(
                "the redirect's state is missing or another one (RFC 6749 section 10.12)",
            ));
        }
        if let Some(code) = given.get("error") {
            let error = OAuthError::new(ErrorCode::new(code));
            return Err(Error::oauth(match given.get("error_description") {
                Some(description) => error.with_description(description),
                None => error,
            }));
        }
        answer.grant()
    }
}

/// The parameters of one part of the redirect, each once.
struct Answer(BTreeMap<String, String>);

impl Answer {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut params = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if params
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(Error::protocol("the redirect has a parameter twice"));
            }
        }
        Ok(Self(params))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn grant(&self) -> Result<ImplicitGrant, Error> {
        let text = |name| self.get(name).filter(|text| !text.is_empty());
        let access_token = text("access_token").map(AccessToken::new).transpose();
        let grant = ImplicitGrant {
            access_token: access_token.map_err(|_| {
                Error::protocol("the access token has a character outside printable ASCII")
            })?,
            id_token: text("id_token").map(SecretString::from),
            scopes: Scopes::parse(text("scope").unwrap_or_default()).map_err(|_| {
                Error::protocol("the scope has a character outside RFC 6749 section 3.3")
            })?,
        };
        if grant.access_token.is_none() && grant.id_token.is_none() {
            return Err(Error::protocol(
                "the redirect has neither a token nor an error",
            ));
        }
        if grant.access_token.is_some()
            && !text("token_type").is_none_or(|name| name.eq_ignore_ascii_case("bearer"))
        {
            return Err(Error::protocol("the token is of a type other than Bearer"));
        }
        Ok(grant)
    }
}

impl ImplicitGrant {
    /// The access token, if one was asked for.
    #[must_use]
    pub fn access_token(&self) -> Option<&AccessToken> {
        self.access_token.as_ref()
    }

    /// The ID token, if one was asked for. Nothing here has verified it.
    #[must_use]
    pub fn id_token(&self) -> Option<&SecretString> {
        self.id_token.as_ref()
    }

    /// The scopes that were granted.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The access token with its scopes, as other flows give it, for
    /// [`Session::register`](crate::Session::register); `None` when there is an ID token only.
    #[must_use]
    pub fn token_set(&self, issued_at: SystemTime) -> Option<TokenSet> {
        let token = self.access_token.clone()?;
        Some(TokenSet::new(token, issued_at).with_scopes(self.scopes.clone()))
    }
}

impl fmt::Debug for PendingImplicit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingImplicit").finish_non_exhaustive()
    }
}

impl fmt::Debug for ImplicitGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImplicitGrant")
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
