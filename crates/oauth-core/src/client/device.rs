//! The device authorization grant (RFC 8628): ask for a code, show it, poll until the user acted.

use std::{fmt, time::Duration};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Call, Client};
use crate::{
    EndpointKind, Error, ErrorCode, ErrorKind, OAuthError, Params, Replay, Scopes, TokenSet,
    TransportErrorKind,
    grant::DeviceCode,
    response::{json_object, lifetime},
};

/// When the server names no interval (RFC 8628 §3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// What `slow_down` adds (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest interval that an answer can set, and the longest back-off. `slow_down` and
/// `Retry-After` can ask for more.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// What to show to the user, and what to poll with (RFC 8628 §3.2).
#[derive(Clone)]
pub struct DeviceAuthorization {
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    interval: Duration,
    lifetime: Duration,
    /// On the client's monotonic clock, counted from before the request was sent.
    deadline: Duration,
    scopes: Option<Scopes>,
    extra: Map<String, Value>,
}

impl Client {
    /// Asks for a device code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// As for every endpoint; a protocol error when the answer lacks what RFC 8628 §3.2 requires.
    pub async fn device_authorization(
        &self,
        scopes: Option<&Scopes>,
    ) -> Result<DeviceAuthorization, Error> {
        let endpoint = EndpointKind::DeviceAuthorization;
        let url = self.endpoint(self.provider().endpoints().device_authorization(), endpoint)?;
        let mut params = Params::new();
        if let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) {
            params.push("scope", scopes.to_string());
        }
        let begun = self.0.clock.monotonic();
        let call = Call::new(endpoint, Replay::Always);
        let answer = self.post(url, &params, None, &call).await?;
        json_object(&answer.response)
            .and_then(|members| DeviceAuthorization::from_members(members, begun, scopes.cloned()))
            .map_err(|error| self.finish(self.describe(error, &answer.response), &call))
    }

    /// Polls until the user acted (RFC 8628 §3.4, §3.5): waits the interval before each poll, more
    /// after `slow_down` or a `Retry-After`, and goes on after a failure that may pass. Dropping
    /// the future ends the polling.
    ///
    /// # Errors
    /// `access_denied` when the user said no, `expired_token` when the code ended, also on this
    /// machine's clock; whatever else the server refuses with.
    pub async fn poll_device(&self, device: &DeviceAuthorization) -> Result<TokenSet, Error> {
        let mut grant = DeviceCode::new(device.device_code.clone());
        if let Some(scopes) = &device.scopes {
            grant = grant.with_requested_scopes(scopes.clone());
        }
        let mut interval = device.interval;
        let mut wait = interval;
        loop {
            if self.0.clock.monotonic().saturating_add(wait) >= device.deadline {
                let expired = OAuthError::new(ErrorCode::ExpiredToken).with_description(
                    "the device code ended before the user acted; ask for a new one",
                );
                return Err(Error::oauth(expired).at(EndpointKind::Token));
            }
            self.0.clock.sleep(wait).await;
            let error = match self.exchange(&grant).await {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            wait = match next_wait(&error, &mut interval, wait) {
                Some(wait) => wait,
                None => return Err(error),
            };
        }
    }
}

/// How long to wait before the next poll; `None` when there is nothing to poll for any more.
fn next_wait(error: &Error, interval: &mut Duration, waited: Duration) -> Option<Duration> {
    let asked = error.retry_after().unwrap_or_default();
    // The code first: what the server says in words holds under a 429, too.
    match error.code() {
        Some(ErrorCode::AuthorizationPending) => return Some((*interval).max(asked)),
        Some(ErrorCode::SlowDown) => {
            *interval += SLOW_DOWN;
            return Some((*interval).max(asked));
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::Server => Some((*interval).max(asked)),
        // "Exponential backoff" after a connection time-out, RFC 8628 §3.5.
        ErrorKind::Transport if error.transport_error()?.kind() != TransportErrorKind::Request => {
            Some((waited * 2).min(MAX_INTERVAL).max(*interval))
        }
        _ => None,
    }
}

impl DeviceAuthorization {
    fn from_members(
        mut members: Map<String, Value>,
        begun: Duration,
        scopes: Option<Scopes>,
    ) -> Result<Self, Error> {
        let device_code = text(&mut members, "device_code")?;
        let user_code: String = text(&mut members, "user_code")?
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        if user_code.is_empty() {
            return Err(Error::protocol(
                "member \"user_code\" has nothing but control characters",
            ));
        }
        if let Some(alias) = members.remove("verification_url") {
            // The spelling of an early draft, still in use.
            members.entry("verification_uri").or_insert(alias);
        }
        let verification_uri = web_page(text(&mut members, "verification_uri")?)?;
        let complete = members.remove("verification_uri_complete");
        let verification_uri_complete = match complete {
            Some(Value::String(uri)) => Some(web_page(uri)?),
            _ => None,
        };
        let lifetime = lifetime(
            &members.remove("expires_in").unwrap_or_default(),
            "expires_in",
        )?;
        let interval = match members.remove("interval") {
            Some(Value::Null) | None => INTERVAL,
            Some(value) => interval(&value),
        };
        Ok(Self {
            device_code: device_code.into(),
            user_code,
            verification_uri,
            verification_uri_complete,
            interval,
            lifetime,
            deadline: begun.saturating_add(lifetime),
            scopes,
            extra: members,
        })
    }

    /// What the user types in.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the user types it in, exactly as it came: an http(s) URL.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it, for a QR code.
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// The wait between two polls, 1 s to 60 s.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How long the code lives, from the moment it was asked for.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.lifetime
    }

    /// The code to poll with, for those who poll themselves.
    #[must_use]
    pub fn device_code(&self) -> &SecretString {
        &self.device_code
    }

    /// The members of the answer that this crate does not know.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever sees the user code can approve it in the user's place: a secret until then.
        f.debug_struct("DeviceAuthorization")
            .field("interval", &self.interval)
            .field("expires_in", &self.lifetime)
            .finish_non_exhaustive()
    }
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<String, Error> {
    match members.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(Error::protocol(format!(
            "member \"{name}\" is missing or not a text (RFC 8628 section 3.2)"
        ))),
    }
}

/// Only a web page may be opened or shown: another scheme would start a program.
fn web_page(uri: String) -> Result<String, Error> {
    let plain = !uri.chars().any(char::is_control);
    match url::Url::parse(&uri) {
        Ok(url) if plain && matches!(url.scheme(), "https" | "http") => Ok(uri),
        _ => Err(Error::protocol(
            "member \"verification_uri\" is not a web page's address",
        )),
    }
}

fn interval(value: &Value) -> Duration {
    let named = lifetime(value, "interval").unwrap_or(INTERVAL);
    named.clamp(Duration::from_secs(1), MAX_INTERVAL)
}
