//! What the endpoints answer when they grant something.

use std::{fmt, sync::Arc, time::SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::{
    AccessTokenRecord, GrantRecord, RefreshTokenRecord, Scope,
    signed::{audience, seconds},
};

/// Tokens that were issued (RFC 6749 §5.1). Serialized it is the body of the answer.
#[derive(Clone, Serialize)]
pub struct TokenResponse {
    #[serde(serialize_with = "exposed")]
    access_token: SecretString,
    token_type: &'static str,
    expires_in: u64,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "exposed_option"
    )]
    refresh_token: Option<SecretString>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "exposed_option"
    )]
    id_token: Option<SecretString>,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    #[serde(skip)]
    client_id: Arc<str>,
    #[serde(skip)]
    subject: Option<String>,
}

impl TokenResponse {
    pub(crate) fn new(
        access_token: String,
        record: &AccessTokenRecord,
        refresh_token: Option<String>,
        id_token: Option<String>,
    ) -> Self {
        let life = record.expires_at.duration_since(record.issued_at);
        Self {
            access_token: access_token.into(),
            token_type: token_type(record),
            expires_in: life.unwrap_or_default().as_secs(),
            refresh_token: refresh_token.map(SecretString::from),
            id_token: id_token.map(SecretString::from),
            scope: record.scope().clone(),
            client_id: Arc::clone(&record.grant.client_id),
            subject: record.subject().map(str::to_owned),
        }
    }

    /// The access token itself.
    pub fn access_token(&self) -> &str {
        self.access_token.expose_secret()
    }

    /// How it is to be used: `Bearer` (RFC 6750) or `DPoP` (RFC 9449 §5).
    pub fn token_type(&self) -> &str {
        self.token_type
    }

    /// How long it lives, in seconds.
    pub fn expires_in(&self) -> u64 {
        self.expires_in
    }

    /// The refresh token that came with it.
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Who the person is, where `openid` was granted (OpenID Connect Core §3.1.3.3).
    pub fn id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// What it allows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The client it was issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The person behind it; none when the client acts for itself.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("client_id", &self.client_id)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What is known about a token (RFC 7662 §2.2). Serialized it is the body of the answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct IntrospectResponse {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Value>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What an application's own claims never are: the server alone knows them.
const OWN: [&str; 10] = [
    "active",
    "scope",
    "client_id",
    "token_type",
    "exp",
    "iat",
    "sub",
    "aud",
    "iss",
    "cnf",
];

impl IntrospectResponse {
    /// The same with claims of the application's own (RFC 7662 §2.2), for its
    /// [`introspect_success`](crate::IntrospectApplication::introspect_success). Those that the
    /// server tells itself are left out, and nothing is told of a token that is not active.
    #[must_use]
    pub fn with_claims(mut self, claims: impl IntoIterator<Item = (String, Value)>) -> Self {
        if self.active {
            let more = claims.into_iter();
            self.more
                .extend(more.filter(|(name, _)| !OWN.contains(&name.as_str())));
        }
        self
    }

    /// Why it is not, is nobody's business (RFC 7662 §2.2).
    pub(crate) fn inactive() -> Self {
        Self::default()
    }

    /// A refresh token has no type: it is not to be shown to a resource.
    pub(crate) fn refresh(issuer: &str, record: RefreshTokenRecord) -> Self {
        Self::active(issuer, record.grant, record.issued_at, record.expires_at)
    }

    pub(crate) fn access(issuer: &str, record: AccessTokenRecord) -> Self {
        let jkt = record.jkt.as_ref();
        Self {
            token_type: Some(token_type(&record)),
            cnf: jkt.map(|jkt| json!({ "jkt": jkt })),
            ..Self::active(issuer, record.grant, record.issued_at, record.expires_at)
        }
    }

    fn active(issuer: &str, grant: GrantRecord, issued: SystemTime, expires: SystemTime) -> Self {
        Self {
            active: true,
            scope: Some(grant.scope).filter(|scope| !scope.is_empty()),
            sub: grant.subject.or_else(|| Some(grant.client_id.to_string())),
            client_id: Some(grant.client_id),
            exp: Some(seconds(expires)),
            iat: Some(seconds(issued)),
            aud: audience(&grant.audience),
            iss: Some(issuer.to_owned()),
            ..Self::default()
        }
    }

    /// Whether the token is good; if not, nothing else is known.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// What it allows.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// The client it was issued to.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The person behind it, or the client itself.
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }
}

/// A started device authorization (RFC 8628 §3.2). Serialized it is the body of the answer.
#[derive(Clone, Serialize)]
pub struct DeviceAuthorizationResponse {
    #[serde(serialize_with = "exposed")]
    pub(crate) device_code: SecretString,
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    pub(crate) verification_uri_complete: String,
    pub(crate) expires_in: u64,
    pub(crate) interval: u64,
}

impl DeviceAuthorizationResponse {
    /// What the device polls with.
    pub fn device_code(&self) -> &str {
        self.device_code.expose_secret()
    }

    /// What the person types.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the person types it.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it.
    pub fn verification_uri_complete(&self) -> &str {
        &self.verification_uri_complete
    }

    /// How long both codes live, in seconds.
    pub fn expires_in(&self) -> u64 {
        self.expires_in
    }

    /// The least time between two polls, in seconds.
    pub fn interval(&self) -> u64 {
        self.interval
    }
}

impl fmt::Debug for DeviceAuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorizationResponse")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// What is told about a person (OpenID Connect Core §5.3.2). Serialized it is the body of the
/// answer.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct UserinfoResponse {
    pub(crate) claims: Map<String, Value>,
}

impl UserinfoResponse {
    /// The claims, `sub` among them.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Who it is about is nobody's business but the client's.
impl fmt::Debug for UserinfoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserinfoResponse").finish_non_exhaustive()
    }
}

/// A pushed authorization request (RFC 9126 §2.2). Serialized it is the body of the answer.
#[derive(Clone, Serialize)]
pub struct PushedAuthorizationResponse {
    #[serde(serialize_with = "exposed")]
    pub(crate) request_uri: SecretString,
    pub(crate) expires_in: u64,
}

impl PushedAuthorizationResponse {
    /// What the browser takes to the authorization endpoint, beside `client_id`.
    pub fn request_uri(&self) -> &str {
        self.request_uri.expose_secret()
    }

    /// How long it lives, in seconds.
    pub fn expires_in(&self) -> u64 {
        self.expires_in
    }
}

impl fmt::Debug for PushedAuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedAuthorizationResponse")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// A granted authorization request (RFC 6749 §4.1.2).
#[derive(Clone)]
pub struct AuthorizeResponse {
    pub(crate) location: SecretString,
    pub(crate) code: SecretString,
}

impl AuthorizeResponse {
    /// Where the browser is to be sent: the client's redirect URI with `code`, `state` and `iss`, or
    /// for an implicit grant with the token in its fragment.
    pub fn location(&self) -> &str {
        self.location.expose_secret()
    }

    /// The authorization code in it; empty for an implicit grant, which has none.
    pub fn code(&self) -> &str {
        self.code.expose_secret()
    }
}

impl fmt::Debug for AuthorizeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeResponse").finish_non_exhaustive()
    }
}

/// RFC 6750, or RFC 9449 §5 for a token that is bound to a key.
fn token_type(record: &AccessTokenRecord) -> &'static str {
    match record.jkt {
        Some(_) => "DPoP",
        None => "Bearer",
    }
}

/// The one place where tokens leave for the wire.
fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn exposed_option<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let secret = secret.as_ref().map(ExposeSecret::expose_secret);
    secret.serialize(serializer)
}
