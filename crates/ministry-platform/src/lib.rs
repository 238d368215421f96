#![doc = include_str!("../README.md")]

mod api;
pub mod authentication;
pub mod error;
pub mod filter;
mod names;
pub mod procedures;
mod provider;
pub mod tables;

pub use api::Api;
pub use authentication::{Authentication, AuthenticationBuilder, Credentials};
pub use error::{Error, ErrorKind};
pub use filter::Filter;
pub use names::{ColumnName, ProcedureName, TableName};
pub use oauth_core;
pub use provider::{MinistryPlatform, SCOPE_ALL};
