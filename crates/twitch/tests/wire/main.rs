//! The client against a real HTTP server: the exact bytes of every call, and every answer that
//! Twitch is known to give.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking; its helpers are not in test functions"
)]

mod answers;
mod device;
mod helix;
mod redirects;
mod requests;
mod secrets;
mod session;
mod support;
mod tokens;
