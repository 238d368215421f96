//! Rendering: the application's part. Each trait turns the outcome of one endpoint into a
//! response; the defaults are the RFCs' JSON.
//!
//! Whatever an application renders, the services add the headers that protect it:
//! `Cache-Control`, `Pragma`, and those of [`OAuthError::headers`].

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    AuthorizationRequest, AuthorizeError, AuthorizeResponse, DeviceAuthorizationResponse,
    IntrospectResponse, OAuthError, PushedAuthorizationResponse, TokenResponse, UserinfoResponse,
};

/// Renders the answers of the token endpoint.
pub trait TokenApplication: Send + Sync + 'static {
    /// Tokens were issued: 200 with the JSON of RFC 6749 §5.1.
    fn token_success(&self, response: &TokenResponse) -> Response<Bytes> {
        json_response(StatusCode::OK, response)
    }

    /// The request was refused: the error's status with the JSON of RFC 6749 §5.2.
    fn token_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// Renders the answers of the introspection endpoint.
pub trait IntrospectApplication: Send + Sync + 'static {
    /// The question was answered: 200 with the JSON of RFC 7662 §2.2.
    fn introspect_success(&self, response: &IntrospectResponse) -> Response<Bytes> {
        json_response(StatusCode::OK, response)
    }

    /// The request was refused.
    fn introspect_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// Renders the answers of the revocation endpoint.
pub trait RevokeApplication: Send + Sync + 'static {
    /// The token is dead: 200 without a body (RFC 7009 §2.2).
    fn revoke_success(&self) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    /// The request was refused.
    fn revoke_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// Renders the answers of the device authorization endpoint.
pub trait DeviceApplication: Send + Sync + 'static {
    /// A device authorization was started: 200 with the JSON of RFC 8628 §3.2.
    fn device_success(&self, response: &DeviceAuthorizationResponse) -> Response<Bytes> {
        json_response(StatusCode::OK, response)
    }

    /// The request was refused.
    fn device_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// Renders the answers of the userinfo endpoint.
pub trait UserinfoApplication: Send + Sync + 'static {
    /// The client may know: 200 with the claims as JSON (OpenID Connect Core §5.3.2).
    fn userinfo_success(&self, response: &UserinfoResponse) -> Response<Bytes> {
        json_response(StatusCode::OK, response)
    }

    /// The request was refused.
    fn userinfo_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// Renders the answers of the pushed authorization request endpoint.
pub trait PushedApplication: Send + Sync + 'static {
    /// The request was taken: 201 with the JSON of RFC 9126 §2.2.
    fn pushed_success(&self, response: &PushedAuthorizationResponse) -> Response<Bytes> {
        json_response(StatusCode::CREATED, response)
    }

    /// The request was refused.
    fn pushed_error(&self, error: &OAuthError) -> Response<Bytes> {
        error_response(error)
    }
}

/// What the person decided about an authorization request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Decision {
    /// Nothing yet: they are asked.
    Pending,
    /// This person allows it, who logged in at that moment, or now.
    #[non_exhaustive]
    Allowed {
        /// Who it is.
        subject: String,
        /// When they logged in.
        auth_time: Option<SystemTime>,
    },
    /// They refuse.
    Denied,
}

impl Decision {
    /// The person with this subject allows it.
    pub fn allowed_by(subject: impl Into<String>) -> Self {
        let (subject, auth_time) = (subject.into(), None);
        Self::Allowed { subject, auth_time }
    }
}

/// Knows what people decide at the authorization endpoint, and renders what they see and where they
/// are sent. What takes a look somewhere is `decision`'s to find out; rendering waits for nothing.
#[async_trait]
pub trait AuthorizeApplication: Send + Sync + 'static {
    /// What the person behind this request decided; by default nothing, and then the application's
    /// page ends with [`authorize`](crate::AuthorizationServer::authorize) or
    /// [`deny`](crate::AuthorizationServer::deny) elsewhere.
    ///
    /// A link from anywhere brings a browser with its cookies here: `Allowed` is for the form of
    /// the application's own page, which repeats the request's parameters and carries something
    /// that only that page knew, posted by a person who is logged in recently enough
    /// ([`wants_login`](AuthorizationRequest::wants_login)).
    async fn decision(
        &self,
        request: &Request<Bytes>,
        authorization: &AuthorizationRequest,
    ) -> Decision {
        let _ = (request, authorization);
        Decision::Pending
    }

    /// The request is valid and undecided: the application's page for login and consent.
    fn preauthorize_success(
        &self,
        request: &Request<Bytes>,
        authorization: &AuthorizationRequest,
    ) -> Response<Bytes>;

    /// The request is not valid: 303 to the client, or JSON for what must not be redirected.
    fn preauthorize_error(&self, error: &AuthorizeError) -> Response<Bytes> {
        not_authorized(error)
    }

    /// The person consented: 303 to the client.
    fn authorize_success(&self, response: &AuthorizeResponse) -> Response<Bytes> {
        redirect(response.location())
    }

    /// Not granted: 303 to the client, or JSON for what must not be redirected.
    fn authorize_error(&self, error: &AuthorizeError) -> Response<Bytes> {
        not_authorized(error)
    }
}

/// All endpoints that need no page: what [`into_router`](crate::AuthorizationServer::into_router)
/// takes.
pub trait Application:
    TokenApplication
    + IntrospectApplication
    + RevokeApplication
    + DeviceApplication
    + UserinfoApplication
    + PushedApplication
{
}

impl<A> Application for A where
    A: TokenApplication
        + IntrospectApplication
        + RevokeApplication
        + DeviceApplication
        + UserinfoApplication
        + PushedApplication
{
}

/// Renders as the RFCs say.
#[derive(Debug, Clone, Copy, Default)]
pub struct RfcApplication;

impl TokenApplication for RfcApplication {}
impl IntrospectApplication for RfcApplication {}
impl RevokeApplication for RfcApplication {}
impl DeviceApplication for RfcApplication {}
impl UserinfoApplication for RfcApplication {}
impl PushedApplication for RfcApplication {}

fn not_authorized(error: &AuthorizeError) -> Response<Bytes> {
    match error {
        AuthorizeError::Page(error) => error_response(error),
        AuthorizeError::Redirect { location, .. } => redirect(location),
    }
}

/// The error's status and the JSON of RFC 6749 §5.2.
pub(crate) fn error_response(error: &OAuthError) -> Response<Bytes> {
    let body = json!({
        "error": error.error(),
        "error_description": error.error_description(),
    });
    json_response(error.status(), &body)
}

pub(crate) fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let json = HeaderValue::from_static("application/json");
    // Room for nearly all answers: a buffer that grows leaves a copy of its tokens behind.
    let mut text = Vec::with_capacity(512);
    match serde_json::to_writer(&mut text, body) {
        Ok(()) => respond(status, (CONTENT_TYPE, json), text.into()),
        Err(_) => error_response(&OAuthError::internal()),
    }
}

/// 303, so that the form of the consent page is not posted to the client (RFC 9700 §4.12).
fn redirect(location: &str) -> Response<Bytes> {
    match HeaderValue::from_str(location) {
        Ok(location) => respond(StatusCode::SEE_OTHER, (LOCATION, location), Bytes::new()),
        Err(_) => error_response(&OAuthError::internal()),
    }
}

fn respond(
    status: StatusCode,
    (name, value): (http::HeaderName, HeaderValue),
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}
