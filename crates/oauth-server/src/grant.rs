//! The grants: what a client shows to get a token. A file for each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AuthorizationServer, Client, ErrorCode, OAuthError, Source, TokenResponse, issue::TokenWishes,
    parameters::Parameters,
};

mod authorization_code;
mod client_credentials;
mod device_code;
mod password;
mod refresh_token;

pub(crate) use device_code::user_code_hash;

/// A grant of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantType {
    /// RFC 6749 §4.1.3, with PKCE (RFC 7636)
    AuthorizationCode,
    /// RFC 6749 §4.4
    ClientCredentials,
    /// RFC 8628 §3.4
    DeviceCode,
    /// RFC 6749 §4.2: a token in the URL of the answer, where history and scripts find it, which
    /// is why RFC 9700 §2.1.2 rules it out; off unless a server switches it on. The
    /// authorization endpoint answers it, never the token endpoint.
    Implicit,
    /// RFC 6749 §4.3. The client sees the person's password, which is why RFC 9700 §2.4 rules it
    /// out; off unless a server switches it on.
    Password,
    /// RFC 6749 §6
    RefreshToken,
}

impl GrantType {
    pub(crate) const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::Implicit,
        Self::Password,
        Self::RefreshToken,
    ];

    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Implicit => "implicit",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token request of a client that has authenticated.
pub(crate) struct TokenRequest<'a> {
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) client: &'a Client,
    pub(crate) parameters: &'a Parameters<'a>,
    pub(crate) source: Option<Source>,
    /// The thumbprint of the key that a DPoP proof came with.
    pub(crate) jkt: Option<String>,
}

impl TokenRequest<'_> {
    pub(crate) async fn grant(&self) -> Result<TokenResponse, OAuthError> {
        let asked = self.required("grant_type", "grant_type is missing")?;
        let unsupported = || {
            let description = "the grant type is not supported";
            OAuthError::new(ErrorCode::UnsupportedGrantType, description)
        };
        let grant = GrantType::ALL
            .into_iter()
            .find(|grant| grant.as_str() == asked && self.server.supports(*grant))
            .ok_or_else(unsupported)?;
        if grant == GrantType::Implicit {
            return Err(unsupported());
        }
        self.server.check_grant(self.client, grant)?;
        // Boxed, so that none of them takes the room of the largest.
        match grant {
            GrantType::AuthorizationCode => Box::pin(authorization_code::grant(self)).await,
            GrantType::ClientCredentials => Box::pin(client_credentials::grant(self)).await,
            GrantType::DeviceCode => Box::pin(device_code::grant(self)).await,
            GrantType::Implicit => Err(unsupported()),
            GrantType::Password => Box::pin(password::grant(self)).await,
            GrantType::RefreshToken => Box::pin(refresh_token::grant(self)).await,
        }
    }

    /// For tokens of a grant that is limited to these resources.
    fn wishes(&self, granted: &[String]) -> Result<TokenWishes<'_>, OAuthError> {
        let (client, parameters) = (self.client, self.parameters);
        Ok(TokenWishes {
            audience: self
                .server
                .requested_audience(client, parameters, granted)?,
            jkt: self.jkt.as_deref(),
            nonce: None,
        })
    }

    fn required(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        let value = self.parameters.get(name);
        value.ok_or_else(|| OAuthError::invalid_request(missing))
    }
}
