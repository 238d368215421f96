#![doc = include_str!("../README.md")]

mod client;
mod error;
mod expiry;
mod provider;
mod refusal;
mod retry;
pub mod scope;
mod session;
mod shape;
mod site;
mod version;
mod wait;

pub use client::{Client, ClientBuilder, CreateAccessToken, GrantType, RevokeAccessToken};
pub use error::{Error, ErrorKind};
pub use oauth_core;
pub use oauth_core::{Token, TokenSet, TokenTypeHint};
pub use provider::Moov;
pub use retry::{BackoffStrategy, RetryConfig, Strategy};
pub use scope::{AccountId, AccountScope, Scope};
pub use session::{Session, SessionBuilder, SessionHandle};
pub use shape::{BodyFormat, Credentials};
pub use version::Version;
