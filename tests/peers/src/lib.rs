#![doc = include_str!("../README.md")]

pub mod cached;
pub mod cold_keys;
pub mod contest;
pub mod endpoint;
pub mod exchange;
pub mod floors;
pub mod keyed;
pub mod libraries;
pub mod memory;
pub mod requests;
pub mod secrets;
pub mod server;
pub mod server_memory;
pub mod servers;
pub mod stampede;
pub mod throughput;
