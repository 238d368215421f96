#![doc = include_str!("../README.md")]

mod application;
mod assertion;
mod authenticate;
mod client;
mod client_keys;
mod clock;
mod contexts;
mod dpop;
mod endpoint;
mod error;
mod grant;
mod guard;
#[cfg(feature = "jwks-uri")]
mod http_jwks;
mod issue;
mod jose;
mod mac;
pub mod memory;
mod metadata;
#[cfg(feature = "pages")]
pub mod pages;
mod parameters;
mod pkce;
mod prompt;
mod protected_resource;
mod random;
mod record;
mod resource;
mod resource_owner;
mod response;
mod router;
mod scope;
mod seal;
mod secret;
mod server;
mod service;
mod signed;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
mod throttle;
mod token_format;

pub use application::{
    Application, AuthorizeApplication, Decision, DeviceApplication, IntrospectApplication,
    PushedApplication, RevokeApplication, RfcApplication, TokenApplication, UserinfoApplication,
};
pub use authenticate::BasicEncoding;
pub use client::{Client, ClientAuthenticationMethod, ClientBuilder, RefreshRotation};
pub use client_keys::FetchJwks;
pub use clock::{Clock, ManualClock, SystemClock};
pub use contexts::{
    AccessTokens, AuthorizationCodes, Clients, DeviceCodes, JwtIds, PushedRequests, ResourceOwners,
    Rotation, Scopes,
};
pub use endpoint::authorize::AuthorizationRequest;
pub use error::{AuthorizeError, BuildError, ContextError, ErrorCode, OAuthError};
pub use grant::GrantType;
#[cfg(feature = "jwks-uri")]
pub use http_jwks::HttpJwks;
pub use jose::{Jwks, SigningAlgorithm, SigningKey, SigningKeys};
pub use prompt::Prompt;
pub use protected_resource::ProtectedResource;
pub use random::{OsRandom, Random};
pub use record::{
    AccessTokenRecord, AuthorizationCodeRecord, DeviceCodeRecord, DeviceStatus, GrantId,
    GrantRecord, PushedRequestRecord, RefreshTokenRecord, ScopeRecord, TokenHash,
};
pub use response::{
    AuthorizeResponse, DeviceAuthorizationResponse, IntrospectResponse,
    PushedAuthorizationResponse, TokenResponse, UserinfoResponse,
};
pub use scope::{InvalidScope, Scope};
pub use seal::SealedToken;
pub use secret::{GeneratedSecret, SecretCost, SecretDigest, SecretHash, Verifier};
pub use server::{AuthorizationServer, AuthorizationServerBuilder};
pub use service::EndpointService;
pub use throttle::Source;
pub use token_format::{Alphanumeric, TokenFormat, TokenKind, UrlSafe};
