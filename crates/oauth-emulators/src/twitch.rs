//! Twitch: `/oauth2/…` of id.twitch.tv and a little of `/helix`.
//!
//! Its bends: scopes as a list, errors as `status` and `message`, every parameter also taken
//! from the query, secrets only as parameters, `OAuth` as the header word of validation, and
//! device codes that want `scopes`.

mod authorize;
mod device;
mod format;
mod helix;
mod openid;
mod refusal;
mod revoke;
mod token;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use oauth_server::{BuildError, GrantType, RefreshRotation};

use crate::authority::{Authority, Setup};
use crate::facade::Facade;
use crate::params::Params;
use crate::switches::Switches;
use crate::{Client, reply};
use format::TwitchFormat;
use helix::Buckets;
use refusal::Refusal;

pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("token", "/oauth2/token"),
    ("authorize", "/oauth2/authorize"),
    ("device", "/oauth2/device"),
    ("validate", "/oauth2/validate"),
    ("revoke", "/oauth2/revoke"),
    ("userinfo", "/oauth2/userinfo"),
    ("jwks", "/oauth2/keys"),
    ("metadata", "/oauth2/.well-known/openid-configuration"),
    ("api", "/helix"),
];

/// The demo user's id.
const USER_ID: &str = "141981764";

const DAY: u64 = 86_400;
const USER_TOKEN: Duration = Duration::from_secs(14_124);
const APP_TOKEN: Duration = Duration::from_secs(5_011_271);
const PUBLIC_REFRESH_TOKEN: Duration = Duration::from_secs(30 * DAY);
/// They do not expire by time; this is longer than any test looks.
const CONFIDENTIAL_REFRESH_TOKEN: Duration = Duration::from_secs(3650 * DAY);

pub(crate) struct Twitch {
    authority: Authority,
    base_url: String,
    clock: crate::Clock,
    switches: Switches,
    buckets: Buckets,
    /// Held by whoever redeems a device code.
    redeeming: tokio::sync::Mutex<()>,
}

impl Twitch {
    pub(crate) fn new(setup: &Setup) -> Result<Self, BuildError> {
        let issuer = format!("{}/oauth2", setup.base_url);
        let activate = format!("{}/activate", setup.base_url);
        let clients = vec![demo("demo").secret("demo-secret"), demo("pub").public()];
        Ok(Self {
            authority: Authority::new(setup, &issuer, USER_ID, clients, register, |server| {
                server
                    .token_format(Arc::new(TwitchFormat))
                    .verification_uri(activate)
            })?
            .renew_life_of_refresh_tokens(),
            base_url: setup.base_url.clone(),
            clock: setup.clock.clone(),
            switches: setup.switches.clone(),
            buckets: Buckets::default(),
            redeeming: tokio::sync::Mutex::default(),
        })
    }

    /// Body before query: what existing clients send is mixed, and both are read.
    fn params(request: &Request<Bytes>) -> Params {
        Params::body(request).extend(Params::query(request))
    }

    fn known_client(&self, params: &Params) -> Result<Client, Refusal> {
        let client_id = params
            .get("client_id")
            .ok_or(Refusal::bad("missing client id"))?;
        self.authority
            .client(client_id)
            .ok_or(Refusal::bad("invalid client"))
    }
}

#[async_trait]
impl Facade for Twitch {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let answered = match (request.method(), request.uri().path()) {
            (&Method::POST, "/oauth2/token") => self.token(request).await,
            (&Method::POST, "/oauth2/device") => self.device(request).await,
            (&Method::POST, "/oauth2/revoke") => self.revoke(request).await,
            (&Method::GET, "/oauth2/validate") => self.validate(request).await,
            (&Method::GET, "/oauth2/authorize") => self.authorize(request).await,
            (&Method::GET, "/oauth2/userinfo") => self.userinfo(request).await,
            (&Method::GET, "/oauth2/keys") => Ok(openid::keys()),
            (&Method::GET, "/oauth2/.well-known/openid-configuration") => Ok(self.discovery()),
            (&Method::GET, "/activate") => self.activate(request).await,
            (&Method::GET, path) if path.starts_with("/helix/") => self.helix(request).await,
            // GET on the token endpoint among others.
            _ => Ok(reply::text(
                StatusCode::NOT_FOUND,
                "text/plain; charset=utf-8",
                "404 page not found\n",
            )),
        };
        answered.unwrap_or_else(Refusal::into_response)
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }
}

fn demo(client_id: &str) -> Client {
    Client::new(client_id)
        .redirect_uri("http://localhost:3000")
        .redirect_uri("http://localhost:3000/callback")
        .redirect_uri("http://127.0.0.1:3000/callback")
        .redirect_uri("https://example.com/callback")
}

fn register(client: &Client) -> Result<oauth_server::Client, BuildError> {
    client.register(|builder| {
        let builder = builder
            .any_scope()
            .require_pkce(false)
            .access_token_lifetime(USER_TOKEN)
            .access_token_lifetime_for(GrantType::ClientCredentials, APP_TOKEN);
        if client.is_public() {
            builder
                .grants([GrantType::DeviceCode, GrantType::RefreshToken])
                .refresh_token_lifetime(PUBLIC_REFRESH_TOKEN)
                .refresh_rotation(RefreshRotation::OneTime)
        } else {
            builder
                .grants([
                    GrantType::AuthorizationCode,
                    GrantType::ClientCredentials,
                    GrantType::DeviceCode,
                    GrantType::RefreshToken,
                ])
                .refresh_token_lifetime(CONFIDENTIAL_REFRESH_TOKEN)
                .refresh_rotation(RefreshRotation::Keep)
        }
    })
}
