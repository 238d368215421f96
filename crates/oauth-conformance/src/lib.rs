#![doc = include_str!("../README.md")]

mod case;
mod cases;
mod catalogue;
mod context;
mod control;
pub mod environment;
#[cfg(feature = "harness")]
pub mod harness;
mod proxy;
mod report;
mod runner;
mod scripted;
mod secrets;
mod seed;
mod target;
mod tls;
mod trace;
mod watched;
pub mod wire;

pub use case::{Case, Failure, Need, Outcome};
pub use cases::all as cases;
pub use catalogue::{Catalogue, Level, Row};
pub use context::Context;
pub use control::Control;
pub use proxy::{Fault, FaultProxy};
pub use report::{document, html, json, junit, matrix, matrix_in_colour};
pub use runner::{Event, Planned, Report, Run, Status};
pub use scripted::{Received, Reply, ScriptedServer};
pub use secrets::{Form, Leak, Secrets};
pub use seed::{Draw, Seed};
pub use target::{Counterpart, Credentials, Server, ServerClient, Target};
pub use trace::Exchange;
pub use watched::WatchedTransport;
