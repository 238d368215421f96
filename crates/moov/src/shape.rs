//! The shapes that a request can have; Moov takes each of them.

/// How request bodies are written; Moov takes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BodyFormat {
    /// `application/json`, as the official Python, TypeScript and Go SDKs send it.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded` (RFC 6749 §3.2), as the official Node SDK sends it.
    Form,
}

/// Where the key pair goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// HTTP Basic: public key as user name, secret key as password.
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
    /// Both at once, as some of the official SDKs do. RFC 6749 §2.3 forbids it; Moov takes it.
    Both,
}
