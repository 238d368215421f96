#![doc = include_str!("../README.md")]

pub mod backend;
#[cfg(feature = "encryption")]
pub mod encrypted;
pub mod layered;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod sealing;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod url;

pub use backend::Backend;
#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, Key, Keys, Rotated};
pub use layered::Layered;
pub use sealing::{Plaintext, Store};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub use url::{Protection, open};
