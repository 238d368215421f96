//! A flow up to the exchange that meets the fault: all before it goes straight to the server.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    AccessToken, Capability, Client, Error, Limits, ReqwestTransport, ServerMetadata, Token,
    TokenManager, TokenSet, Transport, TransportError, TransportErrorKind,
    clock::{Clock, ManualClock},
    grant,
    secrecy::SecretString,
    store::{MemoryStore, Subject, TokenStore},
};
use serde_json::json;

use crate::{
    Context, Counterpart, Failure, Fault, Need, Outcome, Reply, ScriptedServer, ensure, tls,
};

/// A flow of OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cases) enum Flow {
    ClientCredentials,
    Password,
    Code,
    Refresh,
    PushedAuthorization,
    DeviceAuthorization,
    DevicePoll,
    JwtBearer,
    TokenExchange,
    Revocation,
    Introspection,
    UserInfo,
    Metadata,
    /// A token manager that has an expired token and a refresh token.
    Manager,
}

impl Flow {
    /// What the provider must be able to do.
    pub(super) fn needs(self) -> Capability {
        match self {
            Self::ClientCredentials => Capability::ClientCredentials,
            Self::Password => Capability::Password,
            Self::Code => Capability::AuthorizationCode,
            Self::PushedAuthorization => Capability::PushedAuthorization,
            Self::JwtBearer => Capability::JwtBearer,
            Self::TokenExchange => Capability::TokenExchange,
            Self::Refresh | Self::Manager => Capability::RefreshToken,
            Self::DeviceAuthorization | Self::DevicePoll => Capability::DeviceCode,
            Self::Revocation => Capability::Revocation,
            Self::Introspection => Capability::Introspection,
            Self::UserInfo => Capability::UserInfo,
            Self::Metadata => Capability::Discovery,
        }
    }

    /// Whether the server may take what is sent only once.
    pub(super) fn uses_up(self) -> bool {
        matches!(
            self,
            Self::Code | Self::Refresh | Self::DevicePoll | Self::Manager | Self::Revocation
        )
    }
}

/// The server behind the proxy.
#[derive(Debug)]
pub(super) enum Upstream {
    Counterpart(Box<Counterpart>),
    /// Answers everything with tokens, where the target has no counterpart, or this one nobody whose
    /// assertions and tokens it would take.
    Scripted(ScriptedServer),
}

impl Upstream {
    pub(super) async fn start(cx: &Context, flow: Flow) -> Result<Self, Failure> {
        let foreign = matches!(flow, Flow::JwtBearer | Flow::TokenExchange);
        if !foreign && !cx.lacks(Need::Counterpart) {
            return Ok(Self::Counterpart(Box::new(cx.counterpart().await?)));
        }
        let mut answer = cx.target().token_answer("conformance-access-token");
        answer["refresh_token"] = "conformance-refresh-token".into();
        answer["expires_in"] = 3600.into();
        if flow == Flow::TokenExchange {
            answer["issued_token_type"] = grant::TokenExchange::ACCESS_TOKEN.into();
        }
        let server = cx.scripted([Reply::json(200, &answer)]).await?;
        Ok(Self::Scripted(server))
    }

    pub(super) fn base_url(&self) -> &str {
        match self {
            Self::Counterpart(counterpart) => counterpart.base_url(),
            Self::Scripted(server) => server.base_url(),
        }
    }

    /// Whether it has the right answer for the exchange of `flow` that meets the fault.
    pub(super) fn serves(&self, flow: Flow) -> bool {
        let tokens = !matches!(
            flow,
            Flow::PushedAuthorization
                | Flow::DeviceAuthorization
                | Flow::Introspection
                | Flow::UserInfo
                | Flow::Metadata
        );
        tokens || matches!(self, Self::Counterpart(_))
    }
}

/// A flow that has come to the exchange that meets the fault.
pub(super) struct Begun<'a> {
    cx: &'a Context,
    through: Box<dyn Fn(Duration) -> Result<Client, Failure> + Send + Sync + 'a>,
    transport: Arc<dyn Transport>,
    last: Last,
}

/// What the exchange sends.
enum Last {
    ClientCredentials,
    Password,
    Code(grant::AuthorizationCode),
    PushedAuthorization,
    DeviceAuthorization,
    JwtBearer(grant::JwtBearer),
    TokenExchange(grant::TokenExchange),
    Refresh(TokenSet),
    DevicePoll(SecretString),
    Revocation(AccessToken),
    Introspection(SecretString),
    UserInfo(AccessToken),
    /// Where the metadata are, and whose.
    Metadata(String),
    Manager(Session),
}

/// A store with an expired token, the clock on which it is that, and the refresh token in it.
struct Session {
    store: MemoryStore,
    clock: ManualClock,
    token: TokenSet,
}

const USER: &str = "user";

/// A JWT as far as a client looks into it.
const ASSERTION: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";

// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

impl<'a> Begun<'a> {
    /// `flow`, whose last exchange will go to `proxy`.
    pub(super) async fn new(
        cx: &'a Context,
        upstream: &'a Upstream,
        flow: Flow,
        proxy: &str,
    ) -> Result<Self, Failure> {
        // Some providers take nothing but plain http on loopback: the transport makes it TLS.
        let base = match cx.target().provider(proxy) {
            Ok(_) => proxy.to_owned(),
            Err(_) => proxy.replace("https://", "http://"),
        };
        let direct = cx.client(upstream.base_url())?;
        let mut client = (cx.credentials().client_id, cx.credentials().client_secret);
        let last = match flow {
            Flow::ClientCredentials => Last::ClientCredentials,
            Flow::Password => Last::Password,
            Flow::Code => Last::Code(code(cx, upstream, "").await?),
            Flow::PushedAuthorization => Last::PushedAuthorization,
            Flow::DeviceAuthorization => Last::DeviceAuthorization,
            Flow::JwtBearer => Last::JwtBearer(grant::JwtBearer::new(ASSERTION)),
            Flow::TokenExchange => {
                let kind = grant::TokenExchange::ACCESS_TOKEN;
                Last::TokenExchange(grant::TokenExchange::new("conformance-subject-token", kind))
            }
            Flow::Refresh => Last::Refresh(session(cx, upstream, &direct).await?),
            Flow::DevicePoll => Last::DevicePoll(device(cx, upstream, &direct).await?),
            Flow::Revocation => Last::Revocation(token(cx, upstream, &direct).await?),
            Flow::Introspection => {
                if let Upstream::Counterpart(counterpart) = upstream
                    && let Some(server) = counterpart.server()
                {
                    let own = &server.resource_server;
                    client = (own.id.clone(), own.secret.as_str().into());
                }
                let token = token(cx, upstream, &direct).await?;
                Last::Introspection(token.expose_secret().to_owned().into())
            }
            Flow::UserInfo => Last::UserInfo(token(cx, upstream, &direct).await?),
            Flow::Metadata => {
                let provider = cx.target().provider(&base)?;
                let endpoints = provider.endpoints();
                let token = endpoints.token().as_str();
                // Without an issuer of its own it is what the token endpoint lies under.
                let issuer = endpoints
                    .issuer()
                    .unwrap_or_else(|| token.trim_end_matches("/connect/token"));
                Last::Metadata(issuer.to_owned())
            }
            Flow::Manager => {
                let clock = ManualClock::at(cx.now());
                let token = session(cx, upstream, &direct).await?;
                Last::Manager(Session {
                    store: MemoryStore::with_clock(Arc::new(clock.clone())),
                    clock,
                    token,
                })
            }
        };
        let transport: Arc<dyn Transport> = match proxy.starts_with("https://") {
            true => Arc::new(Secure(tls::transport()?)),
            false => Arc::new(cx.transport()),
        };
        let clock = match &last {
            Last::Manager(session) => session.clock.clone(),
            _ => cx.clock().clone(),
        };
        let shared = transport.clone();
        let through = move |limit| {
            let provider = cx.target().provider(&base)?;
            let builder = cx.builder_for(provider, &client.0);
            Ok(builder
                .client_secret(client.1.clone())
                .shared_transport(shared.clone())
                .clock(Arc::new(clock.clone()))
                .limits(Limits::default().with_total(limit))
                .build()?)
        };
        let begun = Self {
            cx,
            through: Box::new(through),
            transport,
            last,
        };
        if let Last::Manager(session) = &begun.last {
            let manager = begun.manager(session, super::LONG)?;
            manager
                .register(&Subject::user(USER), session.token.clone())
                .await?;
            let end = session
                .token
                .expires_at()
                .unwrap_or_else(|| session.clock.now());
            session.clock.set(end + Duration::from_secs(1));
        }
        Ok(begun)
    }

    /// The exchange, within this limit; the inner result is the client's.
    pub(super) async fn go(&self, limit: Duration) -> Result<Result<(), Error>, Failure> {
        let client = (self.through)(limit)?;
        Ok(match &self.last {
            Last::ClientCredentials => self.cx.ask(&client).await.map(drop),
            Last::Password => {
                let own = self.cx.credentials();
                let grant = grant::Password::new(own.username, own.password);
                let grant = grant.with_scopes(own.scopes);
                client.exchange(&grant).await.map(drop)
            }
            Last::Code(code) => client.exchange(code).await.map(drop),
            Last::PushedAuthorization => {
                let own = self.cx.credentials();
                let request = client.authorization_request(own.redirect_uri);
                request.scopes(own.scopes).push().await.map(drop)
            }
            Last::DeviceAuthorization => {
                let scopes = self.cx.credentials().scopes;
                client.device_authorization(Some(&scopes)).await.map(drop)
            }
            Last::JwtBearer(grant) => client.exchange(grant).await.map(drop),
            Last::TokenExchange(grant) => client.exchange(grant).await.map(drop),
            Last::Refresh(token) => {
                let grant = grant::RefreshToken::of(token)?;
                client.exchange(&grant).await.map(drop)
            }
            Last::DevicePoll(code) => {
                let grant = grant::DeviceCode::new(code.clone());
                client.exchange(&grant).await.map(drop)
            }
            Last::Revocation(token) => client.revoke(token).await,
            Last::Introspection(token) => client.introspect(token, None).await.map(drop),
            Last::UserInfo(token) => client.userinfo(token).await.map(drop),
            Last::Metadata(issuer) => {
                let limited = Limited(self.transport.clone(), limit);
                let metadata = ServerMetadata::discover(issuer, Arc::new(limited)).await;
                metadata.map(drop)
            }
            Last::Manager(session) => {
                // Another process than the one before, and late enough for it to try.
                let manager = self.manager(session, limit)?;
                session.clock.advance(Duration::from_secs(120));
                manager.get(&Subject::user(USER), None).await.map(drop)
            }
        })
    }

    /// That a manager whose renewal met `fault` still has the refresh token in its store.
    pub(super) async fn kept(&self, met: &str, fault: Fault) -> Outcome {
        let Last::Manager(session) = &self.last else {
            return Ok(());
        };
        let manager = self.manager(session, super::LONG)?;
        let owner = manager.owner(&Subject::user(USER));
        let stored = session.store.load(&owner).await;
        let stored = stored.map_err(|error| Failure::new(format!("{met}: the store: {error}")))?;
        let kept = stored.as_ref().and_then(|stored| {
            let issued = stored.record.tokens().first()?;
            issued.token.refresh_token()
        });
        let before = session.token.refresh_token();
        let same = kept.map(|token| token.expose_secret().to_owned())
            == before.map(|token| token.expose_secret().to_owned());
        let through = matches!(fault, Fault::Duplicate | Fault::Informational);
        ensure!(
            kept.is_some() && (same || through),
            "{met}: expected the store to have the refresh token, got {} (the same: {same})",
            if kept.is_some() { "one" } else { "none" }
        );
        Ok(())
    }

    fn manager(&self, session: &Session, limit: Duration) -> Result<TokenManager, Failure> {
        Ok(TokenManager::builder((self.through)(limit)?)
            .store(session.store.clone())
            .build())
    }
}

/// A device code that the user has approved.
async fn device(
    cx: &Context,
    upstream: &Upstream,
    client: &Client,
) -> Result<SecretString, Failure> {
    let Upstream::Counterpart(counterpart) = upstream else {
        return Ok("conformance-device-code".into());
    };
    let scopes = cx.credentials().scopes;
    let device = client.device_authorization(Some(&scopes)).await?;
    counterpart
        .control()
        .device(device.user_code(), "approve")
        .await?;
    Ok(device.device_code().clone())
}

/// A code for the target's client, as the user's browser brings it.
async fn code(
    cx: &Context,
    upstream: &Upstream,
    more: &str,
) -> Result<grant::AuthorizationCode, Failure> {
    let own = cx.credentials();
    let can = cx.target().provider("http://127.0.0.1:9")?.capabilities();
    let scope = match can.contains(Capability::UserInfo) {
        true => format!("{} openid{more}", own.scopes),
        false => format!("{}{more}", own.scopes),
    };
    let mut options = json!({
        "client_id": own.client_id, "redirect_uri": own.redirect_uri, "scope": scope,
    });
    let pkce = can.contains(Capability::Pkce);
    if pkce {
        options["code_challenge"] = CHALLENGE.into();
        options["code_challenge_method"] = "S256".into();
    }
    let code = match upstream {
        Upstream::Counterpart(counterpart) => counterpart.control().code(options).await?,
        Upstream::Scripted(_) => "conformance-code".to_owned(),
    };
    let grant = grant::AuthorizationCode::new(code).with_redirect_uri(own.redirect_uri);
    Ok(match pkce {
        true => grant.with_code_verifier(VERIFIER),
        false => grant,
    })
}

/// Tokens with a refresh token among them.
async fn session(cx: &Context, upstream: &Upstream, client: &Client) -> Result<TokenSet, Failure> {
    if let Upstream::Scripted(_) = upstream {
        return Ok(cx.ask(client).await?);
    }
    let can = cx.target().provider("http://127.0.0.1:9")?.capabilities();
    if !can.contains(Capability::AuthorizationCode) {
        return Ok(cx.ask(client).await?);
    }
    let mut token = client.exchange(&code(cx, upstream, "").await?).await?;
    if token.refresh_token().is_none() {
        // OpenID Connect Core §11.
        let grant = code(cx, upstream, " offline_access").await?;
        token = client.exchange(&grant).await?;
    }
    ensure!(
        token.refresh_token().is_some(),
        "expected a refresh token, got none"
    );
    Ok(token)
}

async fn token(cx: &Context, upstream: &Upstream, client: &Client) -> Result<AccessToken, Failure> {
    let token = session(cx, upstream, client).await?;
    Ok(token.access_token().clone())
}

/// A transport with a time limit of its own, for what has none to set.
#[derive(Debug)]
struct Limited(Arc<dyn Transport>, Duration);

#[async_trait]
impl Transport for Limited {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.0.send(request, limits.with_total(self.1)).await
    }
}

/// Makes every request one over TLS.
#[derive(Debug)]
struct Secure(ReqwestTransport);

#[async_trait]
impl Transport for Secure {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let secure = request.uri().to_string().replace("http://", "https://");
        *request.uri_mut() = secure
            .parse()
            .map_err(|_| TransportError::new(TransportErrorKind::Request))?;
        self.0.send(request, limits).await
    }
}
