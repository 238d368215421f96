//! The SDK against HTTP servers: what it sends, byte for byte, and what it makes of each answer.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test are tests, which clippy does not see"
)]

mod answers;
mod emulator;
mod retries;
mod secrets;
mod session;
mod support;
mod wire;
