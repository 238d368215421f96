//! Opening a server.

use std::{sync::Arc, time::Duration};

use oauth_core::store::{StoreError, StoreErrorKind};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult,
    TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};

use super::{Redis, failure, keys::Keys, link::Link, scripts::Scripts, server};
use crate::tls;

/// How a [`Redis`] is connected.
#[derive(Debug)]
#[must_use]
pub struct RedisBuilder {
    url: SecretString,
    limit: Duration,
    prefix: String,
    roots: Option<Vec<u8>>,
    may_evict: bool,
}

impl RedisBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            limit: Duration::from_secs(5),
            prefix: "oauth".to_owned(),
            roots: None,
            may_evict: false,
        }
    }

    /// How long a call may take in all, connecting included. 5 seconds unless told otherwise.
    /// [`clear`](crate::Backend::clear) and a large [`purge`](crate::Backend::purge) are many
    /// calls.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What the store's keys begin with, `oauth` unless told otherwise: `{oauth}:record:…`. Stores
    /// of different prefixes do not see each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The certificates, as PEM, that a `rediss://` server's must come from, in place of those of
    /// the operating system.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Opens the server even if it throws keys away when its memory is full: then users have to
    /// authorize again whenever it does, and two processes can spend one refresh token.
    pub fn allow_eviction(mut self) -> Self {
        self.may_evict = true;
        self
    }

    /// Connects, looks at how the server is set up, and notes the version of the layout.
    ///
    /// # Errors
    /// [`StoreErrorKind::Configuration`] for a URL or prefix that cannot be used, a user who may
    /// not log in or use the keys, and a server that would evict keys, is a replica or part of a
    /// cluster; [`StoreErrorKind::Unreadable`] for the keys of a later version;
    /// [`StoreErrorKind::Unavailable`] when there is no connection.
    pub async fn connect(self) -> Result<Redis, StoreError> {
        let wrong = |message| StoreError::new(StoreErrorKind::Configuration, message);
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) {
            return Err(wrong(
                "a key prefix has at least one character, and no braces",
            ));
        }
        // The parser's own error may repeat a part of the password.
        let info = self.url.expose_secret().into_connection_info();
        let info = info.map_err(|_| {
            wrong("the Redis URL cannot be understood; it is rediss://user:password@host:port/database")
        })?;
        // Only its third protocol says when a connection has ended.
        let settings = info.redis_settings().clone();
        let info = info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3));
        let client = client(info, self.roots).map_err(|error| failure::refused(&error))?;
        let link = Link::new(client, self.limit)?;
        server::check(&link, self.may_evict).await?;
        let keys = Keys::new(&self.prefix);
        server::recognize(&link, &keys).await?;
        Ok(Redis {
            link: Arc::new(link),
            keys: Arc::new(keys),
            scripts: Arc::new(Scripts::new()),
        })
    }
}

fn client(info: ConnectionInfo, roots: Option<Vec<u8>>) -> RedisResult<Client> {
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Client::open(info);
    }
    tls::provider();
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: roots,
    };
    Client::build_with_tls(info, certificates)
}
