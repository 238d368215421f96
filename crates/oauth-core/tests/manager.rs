//! The token manager, against a token endpoint in the same process that counts and can be held up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "manager/faulty.rs"]
mod faulty;
#[path = "manager/parts.rs"]
mod parts;
#[path = "manager/server.rs"]
mod server;

#[path = "manager/basics.rs"]
mod basics;

#[path = "manager/claims.rs"]
mod claims;
#[path = "manager/ends.rs"]
mod ends;
#[path = "manager/events.rs"]
mod events;
#[path = "manager/keys.rs"]
mod keys;
#[path = "manager/life.rs"]
mod life;
#[path = "manager/rules.rs"]
mod rules;
#[path = "manager/stateful.rs"]
mod stateful;
#[path = "manager/store_down.rs"]
mod store_down;
#[path = "manager/turns.rs"]
mod turns;
#[path = "manager/upkeep.rs"]
mod upkeep;
