//! Where each identity's token comes from, and how long it is kept.

use std::{pin::Pin, sync::Arc, time::Duration};

use oauth_core::{AccessToken, ErrorCode, Scopes, Token, TokenSet, grant};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Authentication, Identity, User, client_secret::ClientId};
use crate::{Error, ErrorKind, SCOPE_ALL};

/// A token is renewed so long before its end, unless that is more than a fifth of its lifetime.
const MARGIN: Duration = Duration::from_secs(300);

/// How long a token that could not be renewed, but still works, is handed out before the next try.
const RETRY: Duration = Duration::from_secs(30);

type Fetched = Result<(Arc<TokenSet>, Duration), Error>;

impl Authentication {
    /// The token of an identity. Boxed, because a client's token needs the look-up user's.
    pub(crate) fn token<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<TokenSet>, Error>> + Send + 'a>> {
        Box::pin(self.0.tokens.get(identity, move |ended| async move {
            let inner = &self.0;
            let fetched = match identity {
                Identity::User => self.user_token(&inner.user, ended.as_deref()).await,
                Identity::Lookup => {
                    self.user_token(
                        inner.lookup_user.as_ref().unwrap_or(&inner.user),
                        ended.as_deref(),
                    )
                    .await
                }
                Identity::Client(id) => self.client_token(id).await,
            };
            self.keep(fetched, ended)
        }))
    }

    /// Forgets the token of an identity, if it still is this one: a hundred refusals of one token
    /// forget it once, and not the one that came after it.
    pub(crate) fn drop_token(&self, identity: &Identity, token: &AccessToken) {
        tracing::debug!(
            identity = identity.name(),
            "the server refused a token before its end"
        );
        self.0
            .tokens
            .remove_if(identity, |kept| kept.access_token() == token);
    }

    async fn user_token(&self, user: &User, ended: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let client = &self.0.client;
        if let Some(Ok(refresh)) = ended.map(|token| grant::RefreshToken::of(token)) {
            match client.exchange(&refresh).await {
                // The refresh token is dead; the password still opens the door.
                Err(error) if error.code() == Some(&ErrorCode::InvalidGrant) => {}
                result => return result.map_err(|error| Error::of(error, ErrorKind::LoginRefused)),
            }
        }
        self.log_in(client, &user.username, &user.password).await
    }

    async fn client_token(&self, id: &ClientId) -> Result<TokenSet, Error> {
        let secret = self.client_secret(id).await?;
        let error = match self.client_credentials(id, &secret).await {
            Err(error) if error.code() == Some(&ErrorCode::InvalidClient) => error,
            result => return result,
        };
        tracing::debug!("a client's secret was refused, its row is read again");
        self.drop_client_secret(id, &secret);
        let again = self.client_secret(id).await?;
        let same = again
            .expose_secret()
            .as_bytes()
            .ct_eq(secret.expose_secret().as_bytes());
        if same.into() {
            Err(error)
        } else {
            self.client_credentials(id, &again).await
        }
    }

    async fn client_credentials(
        &self,
        id: &ClientId,
        secret: &SecretString,
    ) -> Result<TokenSet, Error> {
        let client = self
            .0
            .client
            .sibling(id.as_str())
            .client_secret(secret.clone())
            .build()?;
        let grant = grant::ClientCredentials::new().with_scopes(Scopes::new([SCOPE_ALL])?);
        client
            .exchange(&grant)
            .await
            .map_err(|error| Error::of(error, ErrorKind::ClientRefused))
    }

    /// How long a token is kept. When it could not be renewed but has not ended, the old one stays.
    fn keep(&self, fetched: Result<TokenSet, Error>, ended: Option<Arc<TokenSet>>) -> Fetched {
        let now = self.clock().now();
        match fetched {
            Ok(token) => {
                let lifetime = token.expires_in(token.issued_at()).unwrap_or_default();
                Ok((Arc::new(token), lifetime - MARGIN.min(lifetime / 5)))
            }
            Err(error) => match ended.filter(|token| !token.is_expired(now)) {
                Some(token) => {
                    let left = token.expires_in(now).unwrap_or_default();
                    Ok((token, left.min(RETRY)))
                }
                None => Err(error),
            },
        }
    }
}

impl Identity {
    fn name(&self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Lookup => "look-up user",
            Self::Client(_) => "client",
        }
    }
}
