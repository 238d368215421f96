//! Moov: `/oauth2/token` and `/oauth2/revoke` of api.moov.io, `/ping` and `/accounts`.
//!
//! Its bends: JSON or form, credentials in the body, in Basic, or in both, an Origin or Referer
//! from a listed domain, refresh tokens for client credentials, `expires_in` as a point of time,
//! 422 with a message for each field.

mod api;
mod caller;
mod headers;
mod refusal;
mod revoke;
mod scope;
mod token;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode};
use oauth_server::{BuildError, GrantType, RefreshRotation};

use crate::authority::{Authority, Setup};
use crate::facade::Facade;
use crate::guard::lock;
use crate::switches::Switches;
use crate::{Client, Clock, reply};
use refusal::Refusal;

pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("token", "/oauth2/token"),
    ("revoke", "/oauth2/revoke"),
    ("api", "/ping"),
];

const ACCESS_TOKEN: Duration = Duration::from_secs(900);

pub(crate) struct Moov {
    authority: Authority,
    clock: Clock,
    switches: Switches,
    answers: AtomicU64,
    /// The second that is running, and the requests in it.
    this_second: Mutex<(u64, u32)>,
}

impl Moov {
    pub(crate) fn new(setup: &Setup) -> Result<Self, BuildError> {
        let clients = vec![Client::new("demo").secret("demo-secret")];
        let issuer = &setup.base_url;
        Ok(Self {
            authority: Authority::new(setup, issuer, "user", clients, register, |server| server)?
                .renew_life_of_refresh_tokens(),
            clock: setup.clock.clone(),
            switches: setup.switches.clone(),
            answers: AtomicU64::new(0),
            this_second: Mutex::default(),
        })
    }

    async fn route(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        if self.is_over_limit() {
            return Err(Refusal::Empty(StatusCode::TOO_MANY_REQUESTS));
        }
        let path = request.uri().path();
        if headers::has_version(path) {
            return Err(Refusal::Empty(StatusCode::FORBIDDEN));
        }
        match (request.method(), path) {
            (&Method::POST, "/oauth2/token") => self.token(request).await,
            (&Method::POST, "/oauth2/revoke") => self.revoke(request).await,
            (_, "/oauth2/token" | "/oauth2/revoke") => {
                Err(Refusal::Empty(StatusCode::METHOD_NOT_ALLOWED))
            }
            (&Method::GET, _) if path == "/ping" || path.starts_with("/accounts") => {
                self.api(request).await
            }
            _ => Err(Refusal::Empty(StatusCode::NOT_FOUND)),
        }
    }

    fn is_over_limit(&self) -> bool {
        let Some(limit) = self.switches.get().rate_limit else {
            return false;
        };
        let now = self.clock.epoch_seconds();
        let mut this_second = lock(&self.this_second);
        if this_second.0 != now {
            *this_second = (now, 0);
        }
        this_second.1 = this_second.1.saturating_add(1);
        this_second.1 > limit
    }

    /// Unique and a UUID to look at, which is all that a log needs of it.
    fn request_id(&self) -> String {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        format!("00000000-0000-4000-8000-{number:012x}")
    }
}

#[async_trait]
impl Facade for Moov {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let response = self.route(request).await;
        let response = response.unwrap_or_else(Refusal::into_response);
        let name = HeaderName::from_static("x-request-id");
        reply::with_header(response, name, &self.request_id())
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }
}

fn register(client: &Client) -> Result<oauth_server::Client, BuildError> {
    client.register(|builder| {
        builder
            .any_scope()
            .grants([GrantType::ClientCredentials, GrantType::RefreshToken])
            .client_credentials_refresh_token(true)
            .refresh_rotation(RefreshRotation::Rotate)
            .access_token_lifetime(ACCESS_TOKEN)
    })
}
