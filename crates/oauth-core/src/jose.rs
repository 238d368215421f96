//! Signing keys (RFC 7517), and the JWTs that a client makes with them (RFC 7515, RFC 7519).
//!
//! ```
//! # #[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
//! # fn main() -> Result<(), oauth_core::Error> {
//! use oauth_core::jose::SigningKey;
//!
//! let key = SigningKey::generate()?.with_key_id("2026-01");
//! let kept = key.to_pem()?;
//! assert_eq!(SigningKey::from_pem(&kept)?.thumbprint(), key.thumbprint());
//! assert_eq!(format!("{key:?}"), r#"SigningKey(ES256, Some("2026-01"))"#);
//! # Ok(())
//! # }
//! # #[cfg(not(any(feature = "dpop", feature = "jwt-assertion")))]
//! # fn main() {}
//! ```

mod algorithm;
#[cfg(feature = "jwt-assertion")]
mod assertion;
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
mod jwt;
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
mod key;
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
mod pem;

pub use algorithm::SigningAlgorithm;
#[cfg(feature = "jwt-assertion")]
pub use assertion::Assertion;
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
pub(crate) use jwt::{compact, numeric_date};
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
pub use key::SigningKey;

#[cfg(all(test, any(feature = "dpop", feature = "jwt-assertion")))]
mod tests;
