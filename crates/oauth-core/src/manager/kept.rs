//! One token as it lies in memory: packed, because there may be a million of them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::timeline::{Moment, NEVER, Timeline, nanos};
use crate::{
    AccessToken, Error, RefreshToken, Scopes, Token, TokenSet, TokenType,
    store::{Issued, Subject, TokenRequest, Version},
};

/// A token that was valid when it was handed out. Cheap to clone; wiped from memory with the last
/// one that holds it.
#[derive(Clone)]
pub struct ManagedToken(pub(crate) Arc<Kept>);

impl ManagedToken {
    /// The access token, in clear.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.access()
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> AccessToken {
        self.0.access_token()
    }

    /// How it is used.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.0
            .rest
            .as_ref()
            .map_or(TokenType::Bearer, |rest| rest.token_type)
    }

    /// The scopes that were granted.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        self.0.granted()
    }

    /// When it was asked for.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        wall(self.0.issued)
    }

    /// When it ends; `None` when the server named no expiry.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        (self.0.expires != NEVER).then(|| wall(self.0.expires))
    }

    /// The members of the answer that this crate does not know. They may hold secrets.
    #[must_use]
    pub fn extra(&self) -> Option<&Map<String, Value>> {
        self.0.rest.as_ref().map(|rest| &rest.extra)
    }

    /// The whole answer, refresh token and all. Whoever spends that refresh token takes it from
    /// the manager, which will then send one that is dead.
    #[must_use]
    pub fn token_set(&self) -> TokenSet {
        self.0.issued().token
    }

    /// The value of an `Authorization` header (RFC 6750 §2.1), marked sensitive.
    ///
    /// # Errors
    /// A usage error when the token cannot go into a header, or needs a proof beside it.
    pub fn header(&self) -> Result<HeaderValue, Error> {
        self.bearer()?;
        self.access_token()
            .authorization(self.token_type().scheme())
    }

    /// That it can be used as it is.
    pub(crate) fn bearer(&self) -> Result<(), Error> {
        match self.token_type() {
            TokenType::Bearer => Ok(()),
            // Without its proof an API takes it for a stolen one (RFC 9449 §7.1).
            _ => Err(Error::usage(
                "this token is no Bearer token: a header alone does not make a request with it; use `Client::authorize`",
            )),
        }
    }
}

impl fmt::Debug for ManagedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedToken")
            .field("access_token", &format_args!("[REDACTED]"))
            .field("expires_at", &self.expires_at())
            .field("scopes", self.scopes())
            .finish()
    }
}

/// What a [`ManagedToken`] points to.
pub(crate) struct Kept {
    /// Subject, access token and refresh token, one after the other: one allocation for three.
    text: Box<str>,
    subject_len: u32,
    access_len: u32,
    /// Whose client it was given to.
    registration: u32,
    /// The version of the record it lies in; apart from whether there is one, which saves 8 bytes.
    stored: bool,
    version: u64,
    /// The scopes asked for.
    scopes: Option<Scopes>,
    /// On the wall clock, in nanoseconds since the Unix epoch.
    issued: u64,
    expires: u64,
    /// The end, on the timeline of this process.
    end: Moment,
    /// What most tokens do not have.
    rest: Option<Box<Rest>>,
}

struct Rest {
    /// The request, when there is more to it than scopes.
    request: TokenRequest,
    granted: Scopes,
    token_type: TokenType,
    extra: Map<String, Value>,
}

/// In place of the subject's length: the client itself.
const CLIENT: u32 = u32::MAX;

impl Kept {
    pub(crate) fn new(subject: &Subject, issued: &Issued, timeline: &Timeline) -> Self {
        let (request, token) = (&issued.request, &issued.token);
        let user = subject.user_id().unwrap_or_default();
        let access = token.access_token().expose_secret();
        let refresh = token
            .refresh_token()
            .map_or("", RefreshToken::expose_secret);
        let mut text = String::with_capacity(user.len() + access.len() + refresh.len());
        text.push_str(user);
        text.push_str(access);
        text.push_str(refresh);
        let plain = request.is_plain()
            && token.extra().is_empty()
            && token.token_type() == TokenType::Bearer
            && request.requested_scopes() == Some(token.scopes());
        let end = match token.expires_at() {
            None => NEVER,
            Some(end) => {
                // A wall clock behind the moment of issue was set back since: what is left of the
                // life cannot be more than the whole of it.
                let whole = end.duration_since(token.issued_at()).unwrap_or_default();
                let most = timeline.now().saturating_add(nanos(whole));
                timeline.moment(end).min(most)
            }
        };
        Self {
            text: text.into_boxed_str(),
            subject_len: match subject {
                Subject::Client => CLIENT,
                Subject::User(id) => length(id),
            },
            access_len: length(access),
            registration: u32::MAX,
            stored: false,
            version: 0,
            scopes: request.requested_scopes().cloned(),
            issued: since_epoch(token.issued_at()),
            expires: token.expires_at().map_or(NEVER, since_epoch),
            end,
            rest: (!plain).then(|| {
                Box::new(Rest {
                    request: request.clone(),
                    granted: token.scopes().clone(),
                    token_type: token.token_type(),
                    extra: token.extra().clone(),
                })
            }),
        }
    }

    /// As it lies in the table.
    pub(crate) fn of(mut self, registration: u32, version: Option<Version>) -> Self {
        self.registration = registration;
        self.stored = version.is_some();
        self.version = version.map_or(0, Version::get);
        self
    }

    #[inline]
    pub(crate) fn registration(&self) -> u32 {
        self.registration
    }

    pub(crate) fn version(&self) -> Option<Version> {
        self.stored.then(|| Version::new(self.version))
    }

    #[inline]
    pub(crate) fn user_id(&self) -> Option<&str> {
        (self.subject_len != CLIENT).then(|| self.slice(0, self.split()))
    }

    pub(crate) fn access(&self) -> &str {
        self.slice(self.split(), self.split() + self.access_len as usize)
    }

    fn refresh(&self) -> &str {
        self.slice(self.split() + self.access_len as usize, self.text.len())
    }

    pub(crate) fn access_token(&self) -> AccessToken {
        AccessToken::kept(self.access())
    }

    pub(crate) fn can_refresh(&self) -> bool {
        !self.refresh().is_empty()
    }

    pub(crate) fn granted(&self) -> &Scopes {
        static EMPTY: std::sync::LazyLock<Scopes> = std::sync::LazyLock::new(Scopes::empty);
        match &self.rest {
            Some(rest) => &rest.granted,
            None => self.scopes.as_ref().unwrap_or(&EMPTY),
        }
    }

    /// Whether it answered a request for `scopes` with `params` of another kind.
    pub(crate) fn answers(&self, scopes: Option<&Scopes>, request: Option<&TokenRequest>) -> bool {
        match request {
            None => self.scopes.as_ref() == scopes && self.is_plain(),
            Some(request) => self
                .rest
                .as_ref()
                .is_some_and(|rest| rest.request == *request),
        }
    }

    /// Whether it was asked for without parameters beside `scope`.
    pub(crate) fn is_plain(&self) -> bool {
        self.rest
            .as_ref()
            .is_none_or(|rest| rest.request.is_plain())
    }

    /// Whether it is the same token, of the same life.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.expires == other.expires
            && self.issued == other.issued
            && bool::from(self.access().as_bytes().ct_eq(other.access().as_bytes()))
    }

    pub(crate) fn is_access_token(&self, token: &AccessToken) -> bool {
        let token = token.expose_secret().as_bytes();
        self.access().as_bytes().ct_eq(token).into()
    }

    pub(crate) fn ending_by(mut self, end: Moment) -> Self {
        self.end = self.end.min(end);
        self
    }

    pub(crate) fn end(&self) -> Moment {
        self.end
    }

    /// The whole life, in nanoseconds.
    pub(crate) fn lifetime(&self) -> u64 {
        self.expires.saturating_sub(self.issued)
    }

    /// As it goes into a record.
    pub(crate) fn issued(&self) -> Issued {
        let refresh = self.refresh();
        let mut token = TokenSet::new(self.access_token(), wall(self.issued))
            .with_expires_at((self.expires != NEVER).then(|| wall(self.expires)))
            .with_scopes(self.granted().clone())
            .with_refresh_token((!refresh.is_empty()).then(|| RefreshToken::kept(refresh)));
        if let Some(rest) = &self.rest {
            token = token
                .with_token_type(rest.token_type)
                .with_extra(rest.extra.clone());
        }
        Issued::new(self.request(), token)
    }

    /// What it answered.
    pub(crate) fn request(&self) -> TokenRequest {
        match &self.rest {
            Some(rest) => rest.request.clone(),
            None => TokenRequest::any().with_scopes(self.scopes.clone()),
        }
    }

    fn split(&self) -> usize {
        match self.subject_len {
            CLIENT => 0,
            length => length as usize,
        }
    }

    fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept([REDACTED])")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// No text of 4 GiB gets past the limits of a response; were there one, it would be cut and refused
/// by the server.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(CLIENT - 1)
}

fn since_epoch(time: SystemTime) -> u64 {
    nanos(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn wall(nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_small_as_the_memory_of_a_million_asks_for() {
        assert_eq!(size_of::<Kept>(), 88);
    }
}
