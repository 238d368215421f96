//! Id tokens (OpenID Connect Core §2), verified: signature, issuer, audience, times, nonce.
//!
//! ```
//! use oauth_core::{Client, Error, PendingAuthorization, openid::Expected};
//!
//! async fn log_in(client: &Client, pending: &mut PendingAuthorization, callback: &str) -> Result<String, Error> {
//!     let token = client.exchange(&pending.accept(callback)?).await?;
//!     let claims = client.verify_id_token(&token, &Expected::of(pending)).await?;
//!     Ok(claims.subject().to_owned())
//! }
//! ```
//!
//! RS256 and ES256 are taken, never `none` or an HMAC. The server's keys come through the client's
//! own transport, under its limits, and are kept for an hour.

mod claims;
mod expected;
mod jwk;
mod jws;
mod keys;
mod verifier;

pub use claims::Claims;
pub use expected::Expected;
pub(crate) use jwk::Jwk;
pub(crate) use keys::KeyCache;
pub use verifier::IdTokenVerifier;

#[cfg(all(test, any(feature = "dpop", feature = "jwt-assertion")))]
mod tests;
