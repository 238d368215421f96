#![doc = include_str!("../README.md")]

mod arguments;
mod client;
mod device;
mod emulate;
mod failure;
mod grants;
mod inspect;
mod login;
mod loopback;
mod options;
mod output;
mod pages;
mod provider;
mod providers;
mod revoke;
mod run;
mod secrets;
mod serve;
mod session;
mod signals;
mod storage;
mod store_key;
mod terminal;
mod token;
mod tokens;

pub use arguments::command;
pub use run::main;
