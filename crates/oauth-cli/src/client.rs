//! The client that the options describe.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;

use oauth_core::{
    Client, ClientAuthMethod, ClientBuilder, Limits, Provider, ReqwestTransport, RetryPolicy,
    SigningKey, Transport, TransportError, TransportErrorKind,
    secrecy::{ExposeSecret, SecretString},
};

use crate::{
    failure::Failure,
    options::{ClientAuth, Options},
    provider::{self, Chosen},
    secrets::Secrets,
};

/// A client, and Twitch's own where it is one.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) core: Client,
    pub(crate) twitch: Option<twitch::Client>,
}

/// Makes clients: all that is checked before anything is sent is checked here.
#[derive(Debug)]
pub(crate) struct Setup {
    transport: Arc<dyn Transport>,
    client_id: String,
    key: Option<SigningKey>,
}

/// The usual transport, made when the first request is sent: a token from the store needs none of
/// the time that its certificates take.
#[derive(Debug, Default)]
struct OnFirstUse(OnceLock<Result<ReqwestTransport, String>>);

#[async_trait]
impl Transport for OnFirstUse {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let made = self
            .0
            .get_or_init(|| ReqwestTransport::new().map_err(|error| error.to_string()));
        match made {
            Ok(transport) => transport.send(request, limits).await,
            Err(why) => {
                Err(TransportError::new(TransportErrorKind::Request).with_source(why.as_str()))
            }
        }
    }
}

/// Of a client that only knows whose tokens the store has: where the server's endpoints are, it does
/// not know.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(
        &self,
        _request: http::Request<Bytes>,
        _limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        Err(TransportError::new(TransportErrorKind::Request)
            .with_source("the server's endpoints are not known yet"))
    }
}

impl Setup {
    pub(crate) fn new(options: &Options, secrets: &Secrets) -> Result<Self, Failure> {
        provider::check_urls(options)?;
        let client_id = options.client_id.clone().filter(|id| !id.is_empty());
        let client_id = client_id.ok_or_else(|| {
            Failure::usage("there is no client id: give --client-id or set OAUTH_CLIENT_ID")
        })?;
        let wants_key = options.client_auth == Some(ClientAuth::PrivateKeyJwt);
        let key = match &secrets.private_key {
            Some(text) => Some(signing_key(text)?),
            None if wants_key => {
                return Err(Failure::usage(
                    "private-key-jwt needs the client's key: give --private-key-file",
                ));
            }
            None => None,
        };
        Ok(Self {
            transport: Arc::new(OnFirstUse::default()),
            client_id,
            key,
        })
    }

    /// The client, of a server that may be asked for its metadata.
    pub(crate) async fn clients(
        &self,
        options: &Options,
        secrets: &Secrets,
    ) -> Result<Clients, Failure> {
        match provider::choose(options, &self.transport).await? {
            Chosen::Twitch(twitch) => {
                let retry = retry(options, RetryPolicy::default());
                let mut builder = twitch::Client::builder_for(*twitch, &self.client_id)
                    .shared_transport(Arc::clone(&self.transport))
                    .limits(limits(options))
                    .retry(retry);
                if let Some(secret) = secret(options, secrets) {
                    builder = builder.client_secret(secret);
                }
                let twitch = builder.build()?;
                Ok(Clients {
                    core: twitch.core().clone(),
                    twitch: Some(twitch),
                })
            }
            Chosen::Other(provider) => Ok(Clients {
                core: self.of(provider, Arc::clone(&self.transport), options, secrets)?,
                twitch: None,
            }),
        }
    }

    /// The client, of a server that is not asked for anything.
    pub(crate) fn unasked(
        &self,
        issuer: &str,
        options: &Options,
        secrets: &Secrets,
    ) -> Result<Clients, Failure> {
        let provider = Arc::new(provider::unasked(issuer)?);
        Ok(Clients {
            core: self.of(provider, Arc::new(Silent), options, secrets)?,
            twitch: None,
        })
    }

    fn of(
        &self,
        provider: Arc<dyn Provider>,
        transport: Arc<dyn Transport>,
        options: &Options,
        secrets: &Secrets,
    ) -> Result<Client, Failure> {
        let retry = retry(options, provider.retry_policy());
        let mut builder = Client::builder_for(provider, &self.client_id)
            .shared_transport(transport)
            .limits(limits(options))
            .retry(retry);
        if let Some(secret) = secret(options, secrets) {
            builder = builder.client_secret(secret);
        }
        builder = self.authenticated(builder, options, secrets)?;
        Ok(builder.build()?)
    }

    fn authenticated(
        &self,
        builder: ClientBuilder,
        options: &Options,
        secrets: &Secrets,
    ) -> Result<ClientBuilder, Failure> {
        let Some(method) = options.client_auth else {
            return Ok(match &self.key {
                Some(key) if secrets.client_secret.is_none() => builder.client_key(key.clone()),
                _ => builder,
            });
        };
        if needs_secret(method) && secrets.client_secret.is_none() {
            return Err(Failure::usage(
                "this way to authenticate needs the client's secret: set OAUTH_CLIENT_SECRET or give --client-secret-file",
            ));
        }
        let builder = builder.client_authentication(ClientAuthMethod::from(method));
        Ok(match &self.key {
            Some(key) if method == ClientAuth::PrivateKeyJwt => builder.client_key(key.clone()),
            _ => builder,
        })
    }
}

fn needs_secret(method: ClientAuth) -> bool {
    !matches!(method, ClientAuth::None | ClientAuth::PrivateKeyJwt)
}

/// The secret, unless the client is said to authenticate without one.
fn secret(options: &Options, secrets: &Secrets) -> Option<SecretString> {
    let without = options
        .client_auth
        .is_some_and(|method| !needs_secret(method));
    secrets.client_secret.clone().filter(|_| !without)
}

fn retry(options: &Options, policy: RetryPolicy) -> RetryPolicy {
    match options.retries {
        Some(repeats) => policy.with_max_retries(repeats),
        None => policy,
    }
}

/// No exchange takes longer than the whole command may.
fn limits(options: &Options) -> Limits {
    let limits = Limits::default();
    match options.timeout {
        Some(limit) => limits.with_total(limit.0.min(limits.total)),
        None => limits,
    }
}

fn signing_key(text: &SecretString) -> Result<SigningKey, Failure> {
    let is_json = text.expose_secret().trim_start().starts_with('{');
    Ok(if is_json {
        SigningKey::from_jwk(text)?
    } else {
        SigningKey::from_pem(text)?
    })
}
