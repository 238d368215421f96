#![doc = include_str!("../README.md")]

mod authorize;
mod claims;
mod client;
pub mod helix;
mod implicit;
mod provider;
mod scope;
mod session;
mod token;
mod validate;

pub use authorize::AuthorizationUrl;
pub use claims::{Claim, Claims};
pub use client::{Client, ClientBuilder, Revoked};
pub use implicit::{ImplicitGrant, ImplicitResponse, ImplicitUrl, PendingImplicit};
pub use oauth_core;
pub use provider::Twitch;
pub use scope::Scope;
pub use session::{Session, SessionBuilder, SessionHandle};
pub use token::{AppToken, UserToken};
pub use validate::Validation;
