//! The flows through the fault proxy: a few faults each, which the seed draws.

use std::time::Duration;

use oauth_conformance::{Fault, FaultProxy, Seed};
use oauth_core::{
    Client, ClientAuthMethod, Endpoints, Error, ErrorKind, GenericProvider, Limits, Provider,
    RetryPolicy, Scopes, Token, TokenSet, TransportError, grant,
};

use super::{Checks, Peer, SERVICE_SECRET, SITE_SECRET, scopes, secret, text};

/// How many of the faults each flow meets in one run.
const EACH: usize = 4;

/// The time limit where only that can end an exchange, and where something else must.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    ClientCredentials,
    Code,
    Refresh,
    DeviceAuthorization,
    DevicePoll,
    Introspection,
    Revocation,
}

impl Flow {
    const ALL: [Self; 7] = [
        Self::ClientCredentials,
        Self::Code,
        Self::Refresh,
        Self::DeviceAuthorization,
        Self::DevicePoll,
        Self::Introspection,
        Self::Revocation,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::DeviceAuthorization => "device authorization",
            Self::DevicePoll => "device poll",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
        }
    }

    /// Whether the server may take what is sent only once.
    fn uses_up(self) -> bool {
        matches!(self, Self::Code | Self::Refresh | Self::DevicePoll)
    }

    fn ends_in(self, fault: Fault) -> Option<ErrorKind> {
        match (fault, self) {
            // RFC 7009 section 2.2: the body says nothing.
            (Fault::ShortLength, Self::Revocation) => None,
            (fault, _) => fault.ends_in().map(|(kind, _)| kind),
        }
    }
}

/// Adds a check for each flow and fault.
pub(super) async fn check(checks: &mut Checks, peer: &Peer, issuer: &str, seed: Seed) {
    for flow in Flow::ALL {
        let seed = seed.of(flow.name());
        // The certificate of that one is of an authority that this client has not heard of.
        let all = Fault::ALL.iter().copied();
        let mut faults: Vec<_> = all.filter(|fault| *fault != Fault::TlsClose).collect();
        seed.draw().shuffle(&mut faults);
        for fault in faults.into_iter().take(EACH) {
            let what = format!("{} through {}", flow.name(), fault.name());
            let met = meet(peer, issuer, flow, fault, seed.of(fault.name())).await;
            checks.add(what, met);
        }
    }
}

async fn meet(
    peer: &Peer,
    issuer: &str,
    flow: Flow,
    fault: Fault,
    seed: Seed,
) -> Result<bool, String> {
    let begun = Begun::new(peer, flow).await?;
    let proxy = FaultProxy::start(issuer, [Some(fault)], seed).await;
    let proxy = proxy.map_err(text)?;
    let limit = if fault.times_out() { SHORT } else { LONG };
    let client = through(peer, issuer, &proxy, flow, limit)?;
    let ended = begun.go(&client).await;
    match (&ended, flow.ends_in(fault)) {
        (Ok(()), None) => {}
        (Err(error), Some(kind)) if error.kind() == kind => {}
        (ended, expected) => return Err(format!("expected {expected:?}, got {}", said(ended))),
    }
    proxy.heal().await.map_err(text)?;
    let client = through(peer, issuer, &proxy, flow, LONG)?;
    match begun.go(&client).await {
        Ok(()) => Ok(true),
        // The server carried it out the first time, though the client never heard of it.
        Err(error) if fault.commits() && flow.uses_up() && error.needs_reauthorization() => {
            Ok(true)
        }
        again => Err(format!("once the way was free again: {}", said(&again))),
    }
}

/// The client of `flow`, which meets the server only behind the proxy.
fn through(
    peer: &Peer,
    issuer: &str,
    proxy: &FaultProxy,
    flow: Flow,
    limit: Duration,
) -> Result<Client, String> {
    let own = peer.provider.endpoints();
    let moved = |url: &str| url.replace(issuer, proxy.base_url());
    let mut endpoints = Endpoints::new(&moved(own.token().as_str())).map_err(text)?;
    if let Some(url) = own.introspection() {
        endpoints = endpoints
            .with_introspection(&moved(url.as_str()))
            .map_err(text)?;
    }
    if let Some(url) = own.revocation() {
        endpoints = endpoints
            .with_revocation(&moved(url.as_str()))
            .map_err(text)?;
    }
    if let Some(url) = own.device_authorization() {
        endpoints = endpoints
            .with_device_authorization(&moved(url.as_str()))
            .map_err(text)?;
    }
    let (id, secret) = match flow {
        Flow::DeviceAuthorization | Flow::DevicePoll => ("television", None),
        Flow::Code | Flow::Refresh => ("web", Some(SITE_SECRET)),
        _ => ("basic", Some(SERVICE_SECRET)),
    };
    // A proxy of its own, so a connection of its own: the first meets the fault.
    let builder = Client::builder(GenericProvider::new(endpoints), id)
        .transport(peer.transport.clone())
        .retry(RetryPolicy::none())
        .limits(Limits::default().with_total(limit));
    let builder = match secret {
        Some(secret) => builder.client_secret(secret),
        None => builder.client_authentication(ClientAuthMethod::None),
    };
    builder.build().map_err(text)
}

/// What the exchange that meets the fault sends; all before it went straight to the server.
enum Begun {
    ClientCredentials,
    Code(grant::AuthorizationCode),
    Refresh(TokenSet),
    DeviceAuthorization,
    DevicePoll(grant::DeviceCode),
    Introspection(TokenSet),
    Revocation(TokenSet),
}

impl Begun {
    async fn new(peer: &Peer, flow: Flow) -> Result<Self, String> {
        Ok(match flow {
            Flow::ClientCredentials => Self::ClientCredentials,
            Flow::Code => Self::Code(peer.authorized().await?.1),
            Flow::Refresh => Self::Refresh(peer.code().await?),
            Flow::DeviceAuthorization => Self::DeviceAuthorization,
            Flow::DevicePoll => {
                let (_, device) = peer.asked_by_a_device().await?;
                peer.connect(&device).await?;
                Self::DevicePoll(grant::DeviceCode::new(device.device_code().clone()))
            }
            Flow::Introspection => Self::Introspection(machine(peer).await?),
            Flow::Revocation => Self::Revocation(machine(peer).await?),
        })
    }

    async fn go(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::ClientCredentials => {
                let grant = grant::ClientCredentials::new();
                client.exchange(&grant).await.map(drop)
            }
            Self::Code(code) => client.exchange(code).await.map(drop),
            Self::Refresh(token) => {
                let grant = grant::RefreshToken::of(token)?;
                client.exchange(&grant).await.map(drop)
            }
            Self::DeviceAuthorization => {
                let scopes = Scopes::parse("openid")?;
                client.device_authorization(Some(&scopes)).await.map(drop)
            }
            Self::DevicePoll(code) => client.exchange(code).await.map(drop),
            Self::Introspection(token) => {
                let token = secret(token.access_token());
                client.introspect(&token, None).await.map(drop)
            }
            Self::Revocation(token) => client.revoke(token.access_token()).await,
        }
    }
}

async fn machine(peer: &Peer) -> Result<TokenSet, String> {
    let grant = grant::ClientCredentials::new().with_scopes(scopes("read")?);
    peer.basic()?.exchange(&grant).await.map_err(text)
}

fn said(ended: &Result<(), Error>) -> String {
    match ended {
        Ok(()) => "success".to_owned(),
        Err(error) => {
            let kind = error.transport_error().map(TransportError::kind);
            format!("{:?} {kind:?}: {error}", error.kind())
        }
    }
}
