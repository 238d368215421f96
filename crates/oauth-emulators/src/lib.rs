#![doc = include_str!("../README.md")]

mod authority;
mod builder;
mod client;
mod clock;
mod contexts;
mod control;
mod core;
mod emulator;
mod error;
mod facade;
mod fault;
mod guard;
mod ministry_platform;
mod moov;
mod params;
mod recorder;
mod reply;
mod rfc;
mod switches;
mod twitch;
mod wire;

pub use builder::Builder;
pub use client::Client;
pub use clock::Clock;
pub use emulator::Emulator;
pub use error::Error;
pub use recorder::RecordedRequest;
