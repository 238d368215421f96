//! The built program against emulators and servers in processes of their own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod answers;
mod asking;
mod browser;
mod commands;
mod endpoint;
mod help;
mod keyring;
mod login;
mod options;
mod processes;
mod program;
mod readme;
mod rotation;
mod servers;
mod store;
mod store_servers;
mod terminal;
