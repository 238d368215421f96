//! The server through its public API, and over a real socket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole crate is tests; clippy sees that only of functions marked so"
)]

mod authorization_code;
#[cfg(feature = "jwt")]
mod client_assertion;
mod client_authentication;
mod client_settings;
mod contexts;
mod device_code;
#[cfg(feature = "jwt")]
mod dpop;
mod guessing;
#[cfg(feature = "jwt")]
mod jws;
#[cfg(feature = "jwt")]
mod openid;
#[cfg(feature = "pages")]
mod pages;
mod password;
mod protected_resource;
mod purge;
mod pushed;
mod refresh_limits;
mod refresh_token;
mod resource_indicators;
mod revoke_and_introspect;
mod scopes_and_implicit;
#[cfg(feature = "jwt")]
mod signed_access_token;
mod support;
mod token_endpoint;
mod wire;
