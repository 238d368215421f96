//! The SDK against a scripted HTTP server on loopback.
#![cfg(any(feature = "rustls", feature = "rustls-ring", feature = "native-tls"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod api;
mod cache;
mod fixtures;
mod flows;
mod lookup;
mod secrets;
mod support;
