//! Signed JSON: the keys the server signs with, the keys of others, and what they signed. All of
//! the cryptography is in here.

#[cfg(not(feature = "jwt"))]
mod absent;
mod algorithm;
#[cfg(feature = "jwt")]
mod jws;
#[cfg(feature = "jwt")]
mod public_key;
#[cfg(feature = "jwt")]
mod signing_key;
#[cfg(feature = "jwt")]
mod signing_keys;

#[cfg(not(feature = "jwt"))]
pub use absent::{Jwks, SigningKey, SigningKeys};
#[cfg(not(feature = "jwt"))]
pub(crate) use absent::{Jws, PublicKey};
pub use algorithm::SigningAlgorithm;
#[cfg(feature = "jwt")]
pub(crate) use jws::Jws;
#[cfg(feature = "jwt")]
pub use public_key::Jwks;
#[cfg(feature = "jwt")]
pub(crate) use public_key::PublicKey;
#[cfg(feature = "jwt")]
pub use signing_key::SigningKey;
#[cfg(feature = "jwt")]
pub use signing_keys::SigningKeys;
