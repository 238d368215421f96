//! How to ask for a token (RFC 6749 §1.3): a file per grant, and one trait for yours.
//!
//! ```
//! use oauth_core::grant::{ClientCredentials, Grant};
//!
//! let grant = ClientCredentials::new().with_scopes("read write".parse()?);
//! assert_eq!(grant.grant_type(), "client_credentials");
//! # Ok::<(), oauth_core::Error>(())
//! ```

mod authorization_code;
mod client_credentials;
mod device_code;
mod extension;
mod jwt_bearer;
#[cfg(feature = "password")]
mod password;
mod refresh_token;
mod token_exchange;

use std::fmt::Debug;

use crate::{Error, Params, Replay, Scopes};
pub use authorization_code::AuthorizationCode;
pub use client_credentials::ClientCredentials;
pub use device_code::DeviceCode;
pub use extension::Extension;
pub use jwt_bearer::JwtBearer;
#[cfg(feature = "password")]
pub use password::Password;
pub use refresh_token::RefreshToken;
pub use token_exchange::TokenExchange;
pub(crate) use token_exchange::check_resource;

/// What goes into the token request, and nothing else: no client, no endpoint, no encoding.
pub trait Grant: Debug + Send + Sync {
    /// The value of `grant_type`.
    fn grant_type(&self) -> &str;

    /// The scopes that are asked for, or were: what an answer that is silent on them grants
    /// (RFC 6749 §5.1).
    fn scopes(&self) -> Option<&Scopes>;

    /// Adds the grant's own parameters; `grant_type` is there already.
    fn write(&self, params: &mut Params);

    /// Whether the request may be sent a second time. A grant that does not know says: only when
    /// nothing can have reached the server.
    fn replay(&self) -> Replay {
        Replay::Unsent
    }

    /// The refresh token that stays when the answer brings no new one (RFC 6749 §6).
    fn refresh_token(&self) -> Option<&crate::RefreshToken> {
        None
    }

    /// Whether only a client that authenticates may use it (RFC 6749 §4.4).
    fn needs_client_authentication(&self) -> bool {
        false
    }

    /// Whether it is a token exchange, whose answer says what was issued, and may be no access
    /// token (RFC 8693 §2.2.1).
    fn is_token_exchange(&self) -> bool {
        false
    }

    /// What can be found wrong before anything is sent.
    ///
    /// # Errors
    /// A usage error that says what to change.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}
