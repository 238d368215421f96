//! Typed tokens: one that acts for a user, and one that acts for the application alone. Neither
//! can be mistaken for the other, and a user's token knows whose it is.

use std::time::SystemTime;

use oauth_core::{AccessToken, Error, RefreshToken, Scopes, Token, TokenSet, TokenType};

use crate::{Client, Validation};

/// A token that acts for a user. Twitch has said whose it is.
///
/// Its parts go into a store with [`TokenSet::to_json`], and come back with
/// [`UserToken::from_token_set`], which asks Twitch again, as Twitch wants at every start.
#[derive(Debug, Clone, PartialEq)]
pub struct UserToken {
    tokens: TokenSet,
    client_id: String,
    user_id: String,
    login: String,
}

/// A token that acts for the application (client credentials). It has no refresh token: when it
/// ends, ask for a new one.
#[derive(Debug, Clone, PartialEq)]
pub struct AppToken {
    tokens: TokenSet,
    client_id: String,
}

impl UserToken {
    /// A user's token from what a code, a device code or a refresh gave, or a store kept; asks
    /// the validation endpoint. Keep `tokens` until then: a failure leaves them as good as before.
    ///
    /// # Errors
    /// As [`Client::token_validate`]: `invalid_token` when the access token has ended, as a stored
    /// one often has; [`Client::token_refresh_with`] renews it. A usage error when it is an app
    /// token or one of another client.
    pub async fn from_token_set(client: &Client, tokens: &TokenSet) -> Result<Self, Error> {
        let (now, validation) = validate(client, tokens.access_token()).await?;
        let no_user = || Error::usage("this is an app token, where one of a user is wanted");
        let user_id = validation.user_id().ok_or_else(no_user)?.to_owned();
        let login = validation.login().ok_or_else(no_user)?.to_owned();
        let client_id = validation.client_id().to_owned();
        Ok(Self {
            tokens: confirmed(tokens.clone(), &validation, now),
            client_id,
            user_id,
            login,
        })
    }

    /// A user's token from its parts, however they were come by; asks the validation endpoint.
    ///
    /// With a refresh token alone, [`Client::token_refresh_with`] gives a token set first.
    ///
    /// # Errors
    /// As [`UserToken::from_token_set`].
    pub async fn from_existing(
        client: &Client,
        access_token: AccessToken,
        refresh_token: Option<RefreshToken>,
    ) -> Result<Self, Error> {
        let now = client.core().clock().now();
        let tokens = TokenSet::new(access_token, now).with_refresh_token(refresh_token);
        Self::from_token_set(client, &tokens).await
    }

    /// The same user's token after a refresh.
    pub(crate) fn refreshed(&self, tokens: TokenSet) -> Self {
        Self {
            tokens,
            ..self.clone()
        }
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The user's name in URLs. It can change; the id does not.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }
}

impl AppToken {
    /// An app token from its text; asks the validation endpoint.
    ///
    /// # Errors
    /// As [`Client::token_validate`]; a usage error when it is a user's token or one of another
    /// client.
    pub async fn from_existing(client: &Client, access_token: AccessToken) -> Result<Self, Error> {
        let (now, validation) = validate(client, &access_token).await?;
        if validation.user_id().is_some() {
            return Err(Error::usage(
                "this is a user's token, where an app token is wanted",
            ));
        }
        let tokens = confirmed(TokenSet::new(access_token, now), &validation, now);
        Ok(Self {
            tokens,
            client_id: validation.client_id().to_owned(),
        })
    }

    /// The token that the client credentials of `client_id` gave: that grant knows no user.
    pub(crate) fn issued(tokens: TokenSet, client_id: &str) -> Self {
        Self {
            tokens: tokens.with_refresh_token(None),
            client_id: client_id.to_owned(),
        }
    }
}

async fn validate(client: &Client, token: &AccessToken) -> Result<(SystemTime, Validation), Error> {
    let now = client.core().clock().now();
    let validation = client.token_validate(token).await?;
    if validation.client_id() != client.client_id() {
        // Helix would refuse the pair of client id and token, and no refresh would mend that.
        return Err(Error::usage("this token was issued to another client"));
    }
    Ok((now, validation))
}

/// The validation endpoint knows better than the token's answer, which may name no expiry.
fn confirmed(tokens: TokenSet, validation: &Validation, now: SystemTime) -> TokenSet {
    let expires_at = validation
        .expires_in()
        .and_then(|lifetime| now.checked_add(lifetime));
    tokens
        .with_expires_at(expires_at)
        .with_scopes(validation.scopes().clone())
}

macro_rules! token {
    ($name:ident) => {
        impl $name {
            /// The client that the token was issued to.
            #[must_use]
            pub fn client_id(&self) -> &str {
                &self.client_id
            }

            /// The tokens themselves, for a store.
            #[must_use]
            pub fn token_set(&self) -> &TokenSet {
                &self.tokens
            }
        }

        impl Token for $name {
            fn access_token(&self) -> &AccessToken {
                self.tokens.access_token()
            }

            fn token_type(&self) -> TokenType {
                self.tokens.token_type()
            }

            fn expires_at(&self) -> Option<SystemTime> {
                self.tokens.expires_at()
            }

            fn scopes(&self) -> &Scopes {
                self.tokens.scopes()
            }

            fn refresh_token(&self) -> Option<&RefreshToken> {
                self.tokens.refresh_token()
            }
        }
    };
}

token!(UserToken);
token!(AppToken);
