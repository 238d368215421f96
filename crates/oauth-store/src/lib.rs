#![doc = include_str!("../README.md")]

pub mod backend;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
mod sealing;

pub use backend::Backend;
pub use sealing::Plaintext;
