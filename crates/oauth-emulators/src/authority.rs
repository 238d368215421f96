//! The authorization server behind a façade, with the grips that the control has on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use oauth_server::memory::{
    MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients, MemoryDeviceCodes, MemoryJwtIds,
    MemoryResourceOwners,
};
use oauth_server::{
    AccessTokenRecord, AccessTokens, AuthorizationServer, AuthorizationServerBuilder,
    AuthorizeError, BuildError, ContextError, DeviceCodes, DeviceStatus, GrantType, OAuthError,
    Scope, SecretCost, TokenHash, TokenResponse,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::contexts::Reachable;
use crate::guard::lock;
use crate::params::Params;
use crate::switches::Switches;
use crate::{Client, Clock};

/// The user of every emulator, and the password.
pub(crate) const USER: &str = "demo";

/// What every façade is made from.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) switches: Switches,
    pub(crate) clients: Vec<Client>,
}

/// How a provider registers a client.
pub(crate) type Register = fn(&Client) -> Result<oauth_server::Client, BuildError>;

pub(crate) struct Authority {
    pub(crate) server: AuthorizationServer,
    clock: Clock,
    register: Register,
    user_subject: &'static str,
    table: Mutex<BTreeMap<String, Client>>,
    scheduled: Mutex<Vec<(SystemTime, oauth_server::Client)>>,
    clients: Arc<Reachable<MemoryClients>>,
    tokens: Arc<Reachable<MemoryAccessTokens>>,
    codes: Arc<Reachable<MemoryAuthorizationCodes>>,
    devices: Arc<Reachable<MemoryDeviceCodes>>,
    owners: Arc<Reachable<MemoryResourceOwners>>,
}

/// A code that somebody consented to (RFC 6749 §4.1.1).
#[derive(Default)]
pub(crate) struct CodeRequest<'r> {
    pub(crate) client_id: &'r str,
    pub(crate) redirect_uri: &'r str,
    pub(crate) scope: Option<&'r str>,
    pub(crate) code_challenge: Option<&'r str>,
    pub(crate) code_challenge_method: Option<&'r str>,
    pub(crate) nonce: Option<&'r str>,
    pub(crate) resource: Option<&'r str>,
    pub(crate) dpop_jkt: Option<&'r str>,
    pub(crate) username: &'r str,
}

/// What a person does with a device's user code.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceAction {
    Approve,
    Deny,
    Expire,
}

impl Authority {
    /// A server at `issuer` whose demo user has the given subject; `provider` sets what differs
    /// from the server's defaults.
    pub(crate) fn new(
        setup: &Setup,
        issuer: &str,
        user_subject: &'static str,
        clients: Vec<Client>,
        register: Register,
        provider: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Result<Self, BuildError> {
        let owners = MemoryResourceOwners::new(SecretCost::LOW)?;
        owners.insert(USER, user_subject, USER)?;
        let claims = [
            ("preferred_username", json!(USER)),
            ("name", json!("Demo User")),
            ("email", json!("demo@example.com")),
            ("email_verified", json!(true)),
        ];
        let claims = claims.map(|(claim, value)| (claim.to_owned(), value));
        owners.set_claims(user_subject, claims.into_iter().collect());
        let registry = Arc::new(Reachable::new(MemoryClients::new()));
        let tokens = Arc::new(Reachable::new(MemoryAccessTokens::new()));
        let codes = Arc::new(Reachable::new(MemoryAuthorizationCodes::new()));
        let devices = Arc::new(Reachable::new(MemoryDeviceCodes::new()));
        let owners = Arc::new(Reachable::new(owners));
        let builder = AuthorizationServer::builder(issuer)
            .clients(registry.clone())
            .access_tokens(tokens.clone())
            .authorization_codes(codes.clone())
            .device_codes(devices.clone())
            .resource_owners(owners.clone())
            .jwt_ids(Arc::new(Reachable::new(MemoryJwtIds::new())))
            .clock(Arc::new(setup.clock.clone()))
            .secret_cost(SecretCost::LOW)
            // A test is to get there within the minute on a slow machine, too.
            .introspection_throttle(1_000, Duration::from_secs(60));
        let authority = Self {
            server: provider(builder).build()?,
            clock: setup.clock.clone(),
            register,
            user_subject,
            table: Mutex::default(),
            scheduled: Mutex::default(),
            clients: registry,
            tokens,
            codes,
            devices,
            owners,
        };
        for client in clients.into_iter().chain(setup.clients.iter().cloned()) {
            authority.put_client(client)?;
        }
        Ok(authority)
    }

    /// The clients, for a server beside this one.
    pub(crate) fn clients(&self) -> Arc<Reachable<MemoryClients>> {
        self.clients.clone()
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<Client> {
        lock(&self.table).get(client_id).cloned()
    }

    /// Adds a client, or changes the one with that id.
    pub(crate) fn put_client(&self, change: Client) -> Result<(), BuildError> {
        let (client, registered) = self.changed(change)?;
        self.clients.inner.insert(registered);
        lock(&self.table).insert(client.client_id.clone(), client);
        Ok(())
    }

    /// As [`put_client`](Self::put_client), but the server goes on with what it knows of the
    /// client for a while.
    pub(crate) fn put_client_later(
        &self,
        change: Client,
        after: Duration,
    ) -> Result<(), BuildError> {
        if self.client(&change.client_id).is_none() {
            return self.put_client(change);
        }
        let (client, registered) = self.changed(change)?;
        self.schedule(registered, after);
        lock(&self.table).insert(client.client_id.clone(), client);
        Ok(())
    }

    /// The server knows the client like this from then on.
    pub(crate) fn schedule(&self, client: oauth_server::Client, after: Duration) {
        lock(&self.scheduled).push((self.clock.now() + after, client));
    }

    /// Carries out what was to happen by now.
    pub(crate) fn settle(&self) {
        let now = self.clock.now();
        let due = lock(&self.scheduled)
            .extract_if(.., |(at, _)| *at <= now)
            .collect::<Vec<_>>();
        for (_, client) in due {
            self.clients.inner.insert(client);
        }
    }

    pub(crate) async fn token(&self, params: Params) -> Result<TokenResponse, OAuthError> {
        self.server.token(&form("/token", &params)).await
    }

    /// The live access token of that text.
    pub(crate) async fn access_token(
        &self,
        token: &str,
    ) -> Result<Option<AccessTokenRecord>, ContextError> {
        self.server.access_token(token).await
    }

    /// Whether there was an access token of that text, and its time is over.
    pub(crate) async fn is_expired(&self, token: &str) -> bool {
        let record = self.tokens.inner.get(&TokenHash::of(token)).await;
        record
            .is_ok_and(|record| record.is_some_and(|record| record.expires_at <= self.clock.now()))
    }

    /// Seconds that are left to a token, rounded as a fresh one's lifetime would be said.
    pub(crate) fn seconds_left(&self, record: &AccessTokenRecord) -> u64 {
        let left = record.expires_at.duration_since(self.clock.now());
        left.map_or(0, |left| {
            left.as_millis()
                .div_ceil(1000)
                .try_into()
                .unwrap_or(u64::MAX)
        })
    }

    /// A code as the authorization endpoint would send it, without a browser.
    pub(crate) async fn mint_code(&self, wanted: &CodeRequest<'_>) -> Result<String, OAuthError> {
        let query = Params::default()
            .set("response_type", "code")
            .set("client_id", wanted.client_id)
            .set("redirect_uri", wanted.redirect_uri)
            .set_some("scope", wanted.scope)
            .set_some("code_challenge", wanted.code_challenge)
            .set_some("code_challenge_method", wanted.code_challenge_method)
            .set_some("nonce", wanted.nonce)
            .set_some("resource", wanted.resource)
            .set_some("dpop_jkt", wanted.dpop_jkt);
        let refused = |error: AuthorizeError| error.error().clone();
        let request = get("/authorize", &query);
        let asked = self.server.preauthorize(&request).await.map_err(refused)?;
        let subject = self.subject(wanted.username);
        let consent = self
            .server
            .authorize(&asked, subject)
            .await
            .map_err(refused)?;
        Ok(consent.code().to_owned())
    }

    /// Where the authorization endpoint sends the browser of somebody who is signed in, and says
    /// yes at once, or no.
    pub(crate) async fn decided(
        &self,
        request: &Request<Bytes>,
        subject: &str,
        says_no: bool,
    ) -> Result<String, AuthorizeError> {
        let asked = self.server.preauthorize(request).await?;
        if says_no {
            return Err(self.server.deny(&asked));
        }
        let consent = self.server.authorize(&asked, subject).await?;
        Ok(consent.location().to_owned())
    }

    /// A token without a code, as the implicit flow gives it (RFC 6749 §4.2).
    pub(crate) async fn mint_token(
        &self,
        client_id: &str,
        scope: &Scope,
    ) -> Result<TokenResponse, OAuthError> {
        let subject = Some(self.subject(USER));
        self.server
            .issue(client_id, GrantType::AuthorizationCode, subject, scope)
            .await
    }

    /// False if there is no undecided request with this user code.
    pub(crate) async fn decide_device(
        &self,
        user_code: &str,
        action: DeviceAction,
        username: &str,
    ) -> Result<bool, OAuthError> {
        match action {
            DeviceAction::Approve => {
                let subject = self.subject(username);
                self.server.approve_device(user_code, subject).await
            }
            DeviceAction::Deny => self.server.deny_device(user_code).await,
            DeviceAction::Expire => {
                let Some(record) = self.server.device_request(user_code).await? else {
                    return Ok(false);
                };
                let now = self.clock.now();
                let mut expire = |record: &mut oauth_server::DeviceCodeRecord| {
                    record.expires_at = now;
                };
                Ok(self.devices.update(&record.hash, &mut expire).await?)
            }
        }
    }

    /// Forgets when the device last asked, for providers that do not mind how often it does.
    /// Says whether the device code was used already: the server would end the grant for that.
    pub(crate) async fn forgive_polling(&self, device_code: &str) -> Result<bool, ContextError> {
        let mut used = false;
        let mut forgive = |record: &mut oauth_server::DeviceCodeRecord| {
            record.polled_at = None;
            used = record.status == DeviceStatus::Used;
        };
        let hash = TokenHash::of(device_code);
        self.devices.update(&hash, &mut forgive).await?;
        Ok(used)
    }

    pub(crate) async fn kill_access_tokens(&self) -> Result<(), ContextError> {
        self.server.revoke_access_tokens(None).await?;
        Ok(())
    }

    /// For providers whose rotated refresh tokens each live their full time.
    pub(crate) fn renew_life_of_refresh_tokens(self) -> Self {
        self.tokens.renew_life_of_refresh_tokens();
        self
    }

    /// Ends all grants of a client, of a person, or of one of them to the other.
    pub(crate) async fn end_grants(
        &self,
        client_id: Option<&str>,
        username: Option<&str>,
    ) -> Result<(), ContextError> {
        let subject = username.map(|username| self.subject(username));
        self.server.revoke_grants(client_id, subject).await?;
        Ok(())
    }

    /// False if there is no such client.
    pub(crate) fn remove_client(&self, client_id: &str) -> bool {
        lock(&self.table).remove(client_id);
        self.clients.inner.remove(client_id).is_some()
    }

    /// False if there is no such person.
    pub(crate) fn remove_user(&self, username: &str) -> bool {
        self.owners.inner.remove(username)
    }

    pub(crate) fn kill_refresh_tokens(&self) {
        self.tokens.kill_refresh_tokens(self.clock.now());
    }

    /// Everything that is stored about clients, tokens and codes; hashes stand for secrets.
    pub(crate) fn dump(&self) -> Value {
        json!({
            "clients": self.clients.inner.dump(),
            "access_tokens": self.tokens.inner.dump(),
            "authorization_codes": self.codes.inner.dump(),
            "device_codes": self.devices.inner.dump(),
        })
    }

    /// The subject of the demo user, else the name itself.
    pub(crate) fn subject<'n>(&self, username: &'n str) -> &'n str {
        if username == USER {
            self.user_subject
        } else {
            username
        }
    }

    /// The user name of a subject.
    pub(crate) fn username<'s>(&self, subject: &'s str) -> &'s str {
        if subject == self.user_subject {
            USER
        } else {
            subject
        }
    }

    fn changed(&self, change: Client) -> Result<(Client, oauth_server::Client), BuildError> {
        let known = self.client(&change.client_id);
        let known = known.unwrap_or_else(|| Client::new(&change.client_id));
        let client = known.changed(change);
        let registered = (self.register)(&client)?;
        Ok((client, registered))
    }
}

/// A request to one of the server's own endpoints (RFC 6749 §3.2).
pub(crate) fn form(path: &'static str, params: &Params) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(params.encode()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(path);
    let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request
}

fn get(path: &'static str, query: &Params) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    // A form-encoded query is always a URI's query.
    if let Ok(uri) = http::Uri::try_from(format!("{path}?{}", query.encode())) {
        *request.uri_mut() = uri;
    }
    request
}
