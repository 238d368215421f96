//! The validation endpoint: whose token it is, and whether it still works.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use oauth_core::{AccessToken, Call, Error, Replay, Scopes};
use serde::Deserialize;

use crate::{Client, provider::VALIDATE};

/// What Twitch says of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    client_id: String,
    login: Option<String>,
    user_id: Option<String>,
    scopes: Scopes,
    expires_in: Option<Duration>,
}

impl Client {
    /// Asks whether an access token works, and whose it is.
    ///
    /// Twitch wants every application to ask when it starts and once an hour for as long as it
    /// uses the token, and says that it audits this.
    ///
    /// # Errors
    /// `invalid_token` when the token is dead: a refresh may bring a new one, and only when that
    /// fails must the user consent again ([`Recovery::Renew`](oauth_core::Recovery::Renew)). Every
    /// other failure says nothing about the token.
    pub async fn token_validate(&self, token: &AccessToken) -> Result<Validation, Error> {
        let mut request = http::Request::get(self.twitch().validate_endpoint().as_str())
            .body(Bytes::new())
            .map_err(|_| Error::usage("the endpoint URL is not one that HTTP can ask for"))?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, token.authorization("OAuth")?);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let call = Call::new(VALIDATE, Replay::Always).with_secret(token.expose_secret());
        let response = self.core().send(request, call).await?;
        Validation::read(response.body())
            .map_err(|error| error.at(VALIDATE).with_status(response.status()))
    }
}

impl Validation {
    /// The client that the token was issued to.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The user's name in URLs; `None` for an app token.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The user's id; `None` for an app token.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The token's scopes.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// How long the token lives from now on; `None` when it never ends, as those of very old
    /// clients.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn read(body: &[u8]) -> Result<Self, Error> {
        // The parser's own message quotes what it found.
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Error::protocol("the answer is not what the validation endpoint gives"))?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let scopes = answer.scopes.unwrap_or_default();
        let tokens = scopes
            .iter()
            .flat_map(|scope| scope.split(' '))
            .filter(|scope| !scope.is_empty());
        Ok(Self {
            client_id: given(Some(answer.client_id))
                .ok_or_else(|| Error::protocol("member \"client_id\" is empty"))?,
            login: given(answer.login),
            user_id: given(answer.user_id),
            scopes: Scopes::new(tokens).map_err(|_| {
                Error::protocol("member \"scopes\" has a character outside RFC 6749 section 3.3")
            })?,
            expires_in: answer
                .expires_in
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    client_id: String,
    login: Option<String>,
    user_id: Option<String>,
    scopes: Option<Vec<String>>,
    expires_in: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Validation {
        Validation::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_user_token() {
        let user = read(include_str!("../tests/fixtures/validate.user.200.json"));
        assert_eq!(user.client_id(), "wbmytr93xzw8zbg0p1izqyzzc5mbiz");
        assert_eq!(
            (user.login(), user.user_id()),
            (Some("twitchdev"), Some("141981764"))
        );
        assert_eq!(user.scopes().to_string(), "channel:read:subscriptions");
        assert_eq!(user.expires_in(), Some(Duration::from_secs(5_520_838)));
    }

    #[test]
    fn an_app_token_has_no_user() {
        let app = read(include_str!("../tests/fixtures/validate.app.200.json"));
        assert_eq!((app.login(), app.user_id()), (None, None));
        assert!(app.scopes().is_empty());
        let empty =
            read(r#"{"client_id":"c","login":"","user_id":"","scopes":[""],"expires_in":1}"#);
        assert_eq!(
            (empty.login(), empty.user_id(), empty.scopes().len()),
            (None, None, 0)
        );
    }

    #[test]
    fn scopes_may_be_null_and_zero_seconds_are_for_ever() {
        let null = read(include_str!(
            "../tests/fixtures/validate.scopes_null.200.json"
        ));
        assert_eq!(
            (null.scopes().len(), null.expires_in()),
            (0, Some(Duration::from_secs(14_542)))
        );
        let ever = read(include_str!(
            "../tests/fixtures/validate.never_expires.200.json"
        ));
        assert_eq!(ever.expires_in(), None);
    }

    #[test]
    fn anything_else_is_refused_without_being_quoted() {
        for bad in [
            "",
            "[]",
            "{}",
            "planted",
            r#"{"client_id":""}"#,
            r#"{"client_id":"planted","expires_in":-1}"#,
            r#"{"client_id":"planted","scopes":"planted"}"#,
            r#"{"client_id":"a","scopes":["pl\"anted"]}"#,
            r#"{"client_id":"a","user_id":"1","user_id":"planted"}"#,
        ] {
            let error = Validation::read(bad.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("planted"), "{bad}");
        }
    }
}
