//! The client: a method for each thing that Twitch's authentication does.

mod builder;

use std::sync::Arc;

use http::StatusCode;
use oauth_core::{
    AccessToken, DeviceAuthorization, EndpointKind, Error, ErrorCode, PendingAuthorization,
    RefreshToken, Scopes, TokenSet, UserInfo, grant, secrecy::SecretString,
};

use crate::{AppToken, Twitch, UserToken};
pub use builder::ClientBuilder;

/// An application registered with Twitch. A plain type, cheap to clone, `Send + Sync`.
///
/// Each method sends one request and hands over what it gave before anything else can fail, so
/// that no refresh token is lost: save every [`TokenSet`] before using it.
#[derive(Debug, Clone)]
pub struct Client {
    core: oauth_core::Client,
    twitch: Arc<Twitch>,
}

/// What a revocation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revoked {
    /// The token worked until now.
    Now,
    /// The token was dead or unknown already; Twitch answers 400 `Invalid token`.
    AlreadyGone,
}

impl Client {
    /// The application `client_id` at Twitch. Without a secret it is a public one.
    pub fn builder(client_id: impl Into<String>) -> ClientBuilder {
        Self::builder_for(Twitch::new(), client_id)
    }

    /// As [`Client::builder`], for a Twitch elsewhere: an emulator.
    pub fn builder_for(twitch: Twitch, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(twitch, client_id.into())
    }

    /// Exchanges a code for tokens, with everything checked that ties the callback to the
    /// browser: the callback's whole URL or its query, and what
    /// [`build`](crate::AuthorizationUrl::build) gave.
    ///
    /// A callback may be another application instance's: Twitch sends `redirect_mismatch` to the
    /// first redirect URI that is registered. `state` decides, and a callback that does not belong
    /// to `pending` leaves it as it was.
    ///
    /// # Errors
    /// As [`PendingAuthorization::accept`] and [`Client::token_get_from_code`]; `access_denied`
    /// when the user said no.
    pub async fn token_get_from_callback(
        &self,
        pending: &mut PendingAuthorization,
        callback: &str,
    ) -> Result<TokenSet, Error> {
        let code = pending.accept(callback)?;
        self.core.exchange(&code).await
    }

    /// Exchanges a code whose callback you have checked yourself: `state` above all. The redirect
    /// URL is that of the authorization, byte for byte.
    ///
    /// # Errors
    /// `invalid_grant` when the code has ended or was used; `invalid_request` when the redirect
    /// URL is another one; `invalid_client` when the secret is wrong or missing. A code is never
    /// sent twice.
    pub async fn token_get_from_code(
        &self,
        code: impl Into<SecretString> + Send,
        redirect_url: &str,
    ) -> Result<TokenSet, Error> {
        let code = grant::AuthorizationCode::new(code).with_redirect_uri(redirect_url);
        if self.core.is_public() {
            return Err(Error::usage(
                "Twitch gives tokens for a code to clients with a secret only; use the device flow",
            ));
        }
        self.core.exchange(&code).await
    }

    /// Refreshes a user's token. The refresh token may be another one afterwards, and that of a
    /// public client works once: save the new token before using it.
    ///
    /// # Errors
    /// `invalid_grant` when the user must consent again; a usage error when there is no refresh
    /// token; any other error leaves the refresh token as good as it was, unless the answer of a
    /// public client's refresh was lost on the way.
    pub async fn token_refresh(&self, token: &UserToken) -> Result<UserToken, Error> {
        if token.client_id() != self.client_id() {
            return Err(Error::usage("this token was issued to another client"));
        }
        let tokens = self.core.exchange(&grant::RefreshToken::of(token)?).await?;
        Ok(token.refreshed(tokens))
    }

    /// As [`Client::token_refresh`], with nothing but a refresh token. Save what comes, then make
    /// a [`UserToken`] of it.
    ///
    /// # Errors
    /// As [`Client::token_refresh`].
    pub async fn token_refresh_with(
        &self,
        refresh_token: &RefreshToken,
    ) -> Result<TokenSet, Error> {
        self.core
            .exchange(&grant::RefreshToken::new(refresh_token.clone()))
            .await
    }

    /// Ends an access token.
    ///
    /// # Errors
    /// `invalid_client` when Twitch does not know the client id; while the error
    /// [is transient](Error::is_transient) the token may still work.
    pub async fn token_revoke(&self, token: &AccessToken) -> Result<Revoked, Error> {
        match self.core.revoke(token).await {
            Ok(()) => Ok(Revoked::Now),
            Err(error) if is_gone(&error) => Ok(Revoked::AlreadyGone),
            Err(error) => Err(error),
        }
    }

    /// A token for the application itself (client credentials).
    ///
    /// # Errors
    /// `invalid_client` when the secret is wrong; a usage error when the client has none.
    pub async fn app_token(&self) -> Result<AppToken, Error> {
        let grant = grant::ClientCredentials::new();
        let tokens = self
            .core
            .exchange(&grant)
            .await
            .map_err(|error| match error.code() {
                // What a 401 means at a refresh; here is no grant but the client itself.
                Some(ErrorCode::InvalidGrant) => error.with_code(ErrorCode::InvalidClient),
                _ => error,
            })?;
        Ok(AppToken::issued(tokens, self.client_id()))
    }

    /// Begins the device flow (RFC 8628), for clients with and without a secret. Show
    /// [`verification_uri`](DeviceAuthorization::verification_uri) as it is: the user's code is in
    /// it already.
    ///
    /// # Errors
    /// As for every endpoint: `invalid_client`, `invalid_scope`, or what happened on the way.
    pub async fn device_code(&self, scopes: &Scopes) -> Result<DeviceAuthorization, Error> {
        self.core.device_authorization(Some(scopes)).await
    }

    /// Polls until the user has acted, at the pace that Twitch names.
    ///
    /// `invalid device code` ends the polling: Twitch says it of a code that is wrong, has ended
    /// or was used. It has been seen while the user was still at it, too; whoever wants to bear
    /// with that calls this once more with the same `device`, whose deadline stays the same.
    ///
    /// # Errors
    /// `invalid_grant` as above, `access_denied` when the user said no, `expired_token` when the
    /// code's time is over; whatever else Twitch refuses with.
    pub async fn device_token(&self, device: &DeviceAuthorization) -> Result<TokenSet, Error> {
        self.core.poll_device(device).await
    }

    /// The claims about the user of a token with the scope `openid`.
    ///
    /// # Errors
    /// `invalid_token` when the token is dead: [`Recovery::Renew`](oauth_core::Recovery::Renew).
    pub async fn userinfo(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        self.core.userinfo(token).await
    }

    /// The application's client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.core.client_id()
    }

    /// The client of the core, for what has no method here.
    #[must_use]
    pub fn core(&self) -> &oauth_core::Client {
        &self.core
    }

    /// The Twitch that it talks to.
    #[must_use]
    pub fn twitch(&self) -> &Twitch {
        &self.twitch
    }
}

fn is_gone(error: &Error) -> bool {
    error.endpoint() == Some(EndpointKind::Revocation)
        && error.status() == Some(StatusCode::BAD_REQUEST)
        && error.code() == Some(&ErrorCode::InvalidToken)
}
