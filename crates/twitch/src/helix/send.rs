//! Sending a call of the API, and the step that refreshes its token.

use bytes::Bytes;
use oauth_core::{AccessToken, Call, Error, ErrorCode, Replay};
use url::Url;

use super::{HelixToken, Unauthorized};
use crate::{Client, provider::HELIX};

impl Client {
    /// The URL of an endpoint of Helix: `users`, or `users?login=twitchdev`. Values from outside
    /// go in with [`Url::query_pairs_mut`].
    ///
    /// # Errors
    /// A usage error when `path` leads out of Helix.
    pub fn helix_url(&self, path: &str) -> Result<Url, Error> {
        let url = self
            .twitch()
            .helix_endpoint()
            .as_url()
            .join(path.trim_start_matches('/'));
        let url = url.map_err(|_| Error::usage("this is not the path of a Helix endpoint"))?;
        self.check_helix(url.as_str())?;
        Ok(url)
    }

    /// Calls Helix with `token`: adds its two headers, and gives the answer when it is a 2xx.
    /// [`RateLimit::from_headers`](super::RateLimit::from_headers) reads the budget that is left.
    ///
    /// A GET or HEAD is sent again after 429, 502, 503 and 504, other methods only when no
    /// connection could be made.
    ///
    /// # Errors
    /// As for every endpoint; [`Unauthorized::of`] tells the kinds of 401 apart. A usage error,
    /// and nothing sent, when the URL is not one of Helix: the token goes nowhere else.
    pub async fn helix(
        &self,
        mut request: http::Request<Bytes>,
        token: &impl HelixToken,
    ) -> Result<http::Response<Bytes>, Error> {
        self.check_helix(&request.uri().to_string())?;
        token.authorize(request.headers_mut())?;
        self.send_helix(request, token.access_token()).await
    }

    /// Sends a request that has its headers.
    pub(crate) async fn send_helix(
        &self,
        request: http::Request<Bytes>,
        token: &AccessToken,
    ) -> Result<http::Response<Bytes>, Error> {
        let replay = if request.method().is_safe() {
            Replay::Always
        } else {
            Replay::Unsent
        };
        let call = Call::new(HELIX, replay).with_secret(token.expose_secret());
        self.core().send(request, call).await
    }

    /// Calls Helix as [`Client::helix`] does; when the answer is 401 `Invalid OAuth token`, gets
    /// the next token, stores it, and sends the request again, once.
    ///
    /// A user's token is refreshed, if it has a refresh token; for an app token a new one is asked
    /// for. Any other 401 is the caller's: refreshing would not mend it.
    ///
    /// Store, then use: `token` is the new one from the moment it came, and `store` has ended
    /// well before it is used. When `store` fails, its error is returned and `token` still holds
    /// the new token: keep it, the old refresh token may be spent. One task at a time should do
    /// this for a token; a future that is dropped amid the refresh may lose a public client's.
    ///
    /// # Errors
    /// As [`Client::helix`], [`Client::token_refresh`] and [`Client::app_token`]; or what `store`
    /// said. When there is nothing to refresh with, the 401 itself with the code `invalid_grant`:
    /// the user must consent again.
    ///
    /// ```
    /// # async fn call(client: twitch::Client, mut token: twitch::UserToken) -> Result<(), twitch::oauth_core::Error> {
    /// use twitch::oauth_core::Error;
    ///
    /// let request = http::Request::get(client.helix_url("users")?.as_str())
    ///     .body(bytes::Bytes::new())
    ///     .map_err(|_| Error::usage("not a URL for HTTP"))?;
    /// let answer = client
    ///     .token_refresh_step(request, &mut token, async |new| {
    ///         std::fs::write("token.json", expose(new.token_set().to_json()))
    ///             .map_err(|_| Error::usage("the token could not be stored"))
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// # fn expose(text: twitch::oauth_core::secrecy::SecretString) -> String {
    /// #     use twitch::oauth_core::secrecy::ExposeSecret;
    /// #     text.expose_secret().to_owned()
    /// # }
    /// ```
    pub async fn token_refresh_step<T, S, F, E>(
        &self,
        request: http::Request<Bytes>,
        token: &mut T,
        store: S,
    ) -> Result<http::Response<Bytes>, E>
    where
        T: HelixToken,
        S: FnOnce(T) -> F + Send,
        F: Future<Output = Result<(), E>> + Send,
        E: From<Error> + Send,
    {
        let refused = match self.helix(request.clone(), token).await {
            Err(error) if Unauthorized::of(&error) == Some(Unauthorized::InvalidToken) => error,
            other => return other.map_err(E::from),
        };
        let renewed = match token.renew(self).await {
            Ok(renewed) => renewed,
            Err(error) => {
                // An answer that was none otherwise may have ended the old refresh token.
                let kept = error.refresh_token().cloned();
                if let Some(kept) = kept.and_then(|kept| token.keeping(kept)) {
                    *token = kept.clone();
                    store(kept).await?;
                }
                return Err(error.into());
            }
        };
        let Some(next) = renewed else {
            return Err(refused.with_code(ErrorCode::InvalidGrant).into());
        };
        *token = next.clone();
        store(next).await?;
        Ok(self.helix(request, token).await?)
    }

    /// The origin and the path of Helix, both as they are parsed.
    pub(crate) fn check_helix(&self, url: &str) -> Result<(), Error> {
        let helix = self.twitch().helix_endpoint().as_url();
        let within = |url: Url| {
            url.origin() == helix.origin()
                && url.path().starts_with(helix.path())
                && url.username().is_empty()
                && url.password().is_none()
        };
        if Url::parse(url).is_ok_and(within) {
            return Ok(());
        }
        Err(Error::usage(
            "this is not a URL of Helix; the token is sent nowhere else",
        ))
    }
}
