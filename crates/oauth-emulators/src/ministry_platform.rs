//! Ministry Platform: its IdentityServer-like OAuth server and its table API, under
//! `/ministryplatformapi`.
//!
//! Its bends: a URL as scope, 400 for every refusal at the token endpoint, refresh tokens only
//! with `offline_access`, secrets in a table that users may read, SQL as filter, mistakes in a
//! filter told as 500.

mod authorize;
mod connect;
mod discovery;
mod sql_filter;
mod table;
mod tables;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use oauth_server::{BuildError, GrantType, RefreshRotation};
use serde_json::json;

use crate::authority::{Authority, Setup};
use crate::facade::Facade;
use crate::switches::Switches;
use crate::{Client, reply};

pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("token", "/ministryplatformapi/oauth/connect/token"),
    ("authorize", "/ministryplatformapi/oauth/connect/authorize"),
    ("userinfo", "/ministryplatformapi/oauth/connect/userinfo"),
    ("revoke", "/ministryplatformapi/oauth/connect/revocation"),
    (
        "introspect",
        "/ministryplatformapi/oauth/connect/introspect",
    ),
    ("jwks", "/ministryplatformapi/oauth/.well-known/jwks"),
    (
        "metadata",
        "/ministryplatformapi/oauth/.well-known/openid-configuration",
    ),
    ("api", "/ministryplatformapi"),
];

const BASE: &str = "/ministryplatformapi";
const API_SCOPE: &str = "http://www.thinkministry.com/dataplatform/scopes/all";
const SCOPES: [&str; 3] = ["openid", "offline_access", API_SCOPE];

/// The demo user's `User_GUID`.
const USER_GUID: &str = "ab12cd34-ef56-7890-abcd-ef1234567890";

/// The OAuth server keeps what it knows of an API client for so long.
const CLIENT_CACHE: Duration = Duration::from_secs(120);
const ACCESS_TOKEN: Duration = Duration::from_secs(3600);

pub(crate) struct MinistryPlatform {
    authority: Authority,
    base_url: String,
    switches: Switches,
    api_clients: table::ApiClients,
}

impl MinistryPlatform {
    pub(crate) fn new(setup: &Setup) -> Result<Self, BuildError> {
        let issuer = format!("{}{BASE}/oauth", setup.base_url);
        let every_grant = [
            GrantType::Password,
            GrantType::ClientCredentials,
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
        ];
        let clients = seeds();
        let every_client = clients.iter().chain(&setup.clients);
        let names: Vec<_> = every_client
            .map(|client| client.client_id.clone())
            .collect();
        let authority = Authority::new(setup, &issuer, USER_GUID, clients, register, |server| {
            server.grant_types(every_grant)
        })?
        .renew_life_of_refresh_tokens();
        let known = names.iter().filter_map(|name| authority.client(name));
        let api_clients = table::ApiClients::new(known);
        Ok(Self {
            authority,
            base_url: setup.base_url.clone(),
            switches: setup.switches.clone(),
            api_clients,
        })
    }
}

#[async_trait]
impl Facade for MinistryPlatform {
    async fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        let Some(path) = path.strip_prefix(BASE) else {
            // Among others the retired /ministryplatform/oauth.
            let page = "<!DOCTYPE html><html><head><title>404 - File or directory not found.\
                        </title></head><body><h2>404 - File or directory not found.</h2></body></html>";
            return reply::text(StatusCode::NOT_FOUND, "text/html", page);
        };
        match (request.method(), path) {
            (&Method::POST, "/oauth/connect/token") => self.token(request).await,
            (&Method::POST, "/oauth/connect/revocation") => self.revocation(request).await,
            (&Method::POST, "/oauth/connect/introspect") => self.introspect(request).await,
            (&Method::GET, "/oauth/connect/authorize") => self.authorize(request).await,
            (&Method::GET, "/oauth/connect/userinfo") => self.userinfo(request).await,
            (&Method::GET, "/oauth/.well-known/openid-configuration") => self.discovery(),
            (&Method::GET, "/oauth/.well-known/jwks") => discovery::keys(),
            (_, path) if path.starts_with("/oauth/connect/") => {
                reply::empty(StatusCode::METHOD_NOT_ALLOWED)
            }
            (&Method::GET, path) => match path.strip_prefix("/tables/") {
                Some(table) => self.table(request, table).await,
                None => no_resource(),
            },
            _ => no_resource(),
        }
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The table shows a change at once; the OAuth server learns it two minutes later.
    fn put_client(&self, change: Client) -> Result<(), BuildError> {
        let client_id = change.client_id.clone();
        self.authority.put_client_later(change, CLIENT_CACHE)?;
        if let Some(client) = self.authority.client(&client_id) {
            self.api_clients.put(&client);
        }
        Ok(())
    }
}

fn no_resource() -> Response<Bytes> {
    let body = json!({"Message": "No HTTP resource was found that matches the request URI."});
    reply::json(StatusCode::NOT_FOUND, &body)
}

fn seeds() -> Vec<Client> {
    [
        ("demo", "demo-secret"),
        ("demo-client", "demo-client-secret"),
        ("twice", "twice-secret"),
        ("awkward", "a&b=c;^~()/$%+ "),
        ("o'brien", "obrien-secret"),
    ]
    .map(|(client_id, secret)| seed(client_id).secret(secret))
    .into_iter()
    .chain([seed("disabled").secret("disabled-secret").disabled()])
    .collect()
}

fn seed(client_id: &str) -> Client {
    Client::new(client_id)
        .redirect_uri("http://localhost:3000/callback")
        .redirect_uri("http://127.0.0.1/callback")
        .redirect_uri("https://example.com/callback")
}

fn register(client: &Client) -> Result<oauth_server::Client, BuildError> {
    client.register(|builder| {
        builder
            .scopes(SCOPES)
            .default_scopes([API_SCOPE])
            .require_pkce(false)
            .access_token_lifetime(ACCESS_TOKEN)
            .refresh_rotation(RefreshRotation::OneTime)
            .grants([
                GrantType::Password,
                GrantType::ClientCredentials,
                GrantType::AuthorizationCode,
                GrantType::RefreshToken,
            ])
    })
}
