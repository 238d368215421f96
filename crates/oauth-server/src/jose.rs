//! Signed JSON: the keys the server signs with, the keys of others, and what they signed. All of
//! the cryptography is in here.

mod algorithm;
mod jws;
mod public_key;
mod signing_key;
mod signing_keys;

pub use algorithm::SigningAlgorithm;
pub(crate) use jws::Jws;
pub use public_key::Jwks;
pub(crate) use public_key::PublicKey;
pub use signing_key::SigningKey;
pub use signing_keys::SigningKeys;
