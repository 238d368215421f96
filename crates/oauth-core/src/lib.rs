#![doc = include_str!("../README.md")]

#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod client_auth;
pub mod clock;
#[cfg(feature = "dpop")]
mod dpop;
pub mod error;
pub mod grant;
#[cfg(any(feature = "dpop", feature = "jwt-assertion", feature = "openid"))]
pub mod jose;
pub mod manager;
mod members;
pub mod middleware;
#[cfg(feature = "openid")]
pub mod openid;
mod params;
pub mod provider;
pub mod random;
mod response;
mod retry;
mod scope;
mod spans;
pub mod store;
mod token;
pub mod transport;
mod wiped;
mod www_authenticate;

pub use client::{
    AuthorizationRequest, Call, Client, ClientBuilder, DeviceAuthorization, Exchange,
    Introspection, PendingAuthorization, Revoke, ServerMetadata, TokenTypeHint, UserInfo,
};
pub use client_auth::{ClientAuthMethod, ClientAuthentication};
pub use error::{Error, ErrorCode, ErrorKind, OAuthError, Recovery};
#[cfg(any(feature = "dpop", feature = "jwt-assertion", feature = "openid"))]
pub use jose::SigningAlgorithm;
#[cfg(any(feature = "dpop", feature = "jwt-assertion"))]
pub use jose::SigningKey;
pub use manager::TokenManager;
pub use params::Params;
pub use provider::{
    Capabilities, Capability, EndpointKind, EndpointRequest, EndpointUrl, Endpoints,
    GenericProvider, Provider,
};
pub use response::{TokenContext, TokenReader, json_object, retry_after};
pub use retry::{Jitter, Replay, RetryPolicy};
pub use scope::Scopes;
pub use secrecy;
pub use token::{AccessToken, RefreshToken, Token, TokenSet, TokenType};
#[cfg(feature = "reqwest")]
pub use transport::ReqwestTransport;
pub use transport::{Limits, Transport, TransportError, TransportErrorKind};
pub use www_authenticate::{Challenge, challenges};
