//! An authorization server with its pages, as others see it: OAuth clients that are not ours, and
//! a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod browser;
mod foreign;
mod server;
