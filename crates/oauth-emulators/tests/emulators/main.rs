//! The emulators over real sockets, by a client that knows none of their code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails the test"
)]

mod control;
mod ministry_platform;
mod moov;
mod rfc;
mod support;
mod twitch;
