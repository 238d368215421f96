#![doc = include_str!("../README.md")]

pub mod backend;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod cause;
#[cfg(feature = "encryption")]
pub mod encrypted;
pub mod layered;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod moment;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod owner_name;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod sealing;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;
mod url;

pub use backend::Backend;
#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, Key, Keys, Rotated};
pub use layered::Layered;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "redis")]
pub use redis::Redis;
pub use sealing::{Plaintext, Store};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub use url::{Protection, open};
