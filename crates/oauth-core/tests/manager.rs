//! The token manager, against a token endpoint in the same process that counts and can be held up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "manager/server.rs"]
mod server;

#[path = "manager/basics.rs"]
mod basics;

#[path = "manager/ends.rs"]
mod ends;
#[path = "manager/stateful.rs"]
mod stateful;
