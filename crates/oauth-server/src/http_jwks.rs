//! Key sets of clients over HTTP.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::{Host, Url};

use crate::{BuildError, ContextError, FetchJwks};

/// No set of 20 keys is larger.
const MAX_BODY: usize = 64 * 1024;

/// From the name's resolution to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// Fetches the key sets of clients over HTTPS: at most 64 KiB within 5 seconds, without redirects
/// and without a proxy, and never from an address that is not public, whatever name it has.
///
/// ```
/// use std::sync::Arc;
/// use oauth_server::{AuthorizationServer, HttpJwks};
///
/// let server = AuthorizationServer::builder("https://auth.example")
///     .jwks_fetcher(Arc::new(HttpJwks::new()?))
///     .build()?;
/// # let _ = server;
/// # Ok::<(), oauth_server::BuildError>(())
/// ```
#[derive(Clone)]
pub struct HttpJwks {
    client: reqwest::Client,
    loopback: bool,
}

impl HttpJwks {
    /// A client for public addresses.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, BuildError> {
        Self::with(false)
    }

    /// For tests and demonstrations: takes addresses of this machine, too, on plain HTTP. Those of
    /// other machines in its network are refused all the same.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up on this machine.
    pub fn on_loopback() -> Result<Self, BuildError> {
        Self::with(true)
    }

    fn with(loopback: bool) -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            // Whatever another crate switches on.
            .tls_backend_rustls()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(DEADLINE)
            .dns_resolver(Reachable { loopback });
        let client = client.build();
        let client = client.map_err(|_| BuildError::Setting("the HTTP client for keys"))?;
        Ok(Self { client, loopback })
    }

    fn may_ask(&self, jwks_uri: &str) -> Option<Url> {
        let url = Url::parse(jwks_uri).ok()?;
        let address = match url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        };
        // A name is looked at when it is resolved.
        let reachable = address.is_none_or(|address| may_reach(address, self.loopback));
        let secure = url.scheme() == "https" || (self.loopback && url.scheme() == "http");
        (reachable && secure).then_some(url)
    }
}

#[async_trait]
impl FetchJwks for HttpJwks {
    async fn fetch(&self, jwks_uri: &str) -> Result<Bytes, ContextError> {
        let refused = || ContextError::new("keys are not fetched from such an address");
        let url = self.may_ask(jwks_uri).ok_or_else(refused)?;
        let failed = |error: reqwest::Error| {
            ContextError::new("the keys' address does not answer").with_source(error)
        };
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if response.status() != http::StatusCode::OK {
            return Err(ContextError::new("the keys' address does not answer 200"));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(ContextError::new("the keys' address answers too much"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

impl fmt::Debug for HttpJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpJwks")
            .field("loopback", &self.loopback)
            .finish_non_exhaustive()
    }
}

/// Resolves names to addresses that may be asked; the connection goes to what was looked at.
struct Reachable {
    loopback: bool,
}

impl Resolve for Reachable {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found = found.filter(|found| may_reach(found.ip(), loopback));
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() {
                return Err(io::Error::other("no address that may be asked").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn may_reach(address: IpAddr, loopback: bool) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public(address) || (loopback && address.is_loopback()),
        IpAddr::V6(address) => is_public_v6(address) || (loopback && address.is_loopback()),
    }
}

/// Not in the registry of special addresses (RFC 6890).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224;
    !special
}

/// Global unicast, but for what leads to IPv4 or nowhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // RFC 6052: an address of IPv4 behind a translator.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = segments {
        return is_public(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let special = matches!(
        segments,
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..0x1000, ..]
    );
    segments[0] & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked() {
        for good in [
            "1.1.1.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "100.128.0.1",
        ] {
            assert!(may_reach(good.parse().unwrap(), false), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2002:a00:1::1",
            "ff02::1",
        ] {
            assert!(!may_reach(bad.parse().unwrap(), false), "{bad}");
        }
        for (address, reached) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false)] {
            assert_eq!(
                may_reach(address.parse().unwrap(), true),
                reached,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_does_not_hide_an_address() {
        let resolve = |loopback| {
            let name = "localhost".parse().unwrap();
            Reachable { loopback }.resolve(name)
        };
        assert!(resolve(false).await.is_err());
        assert!(resolve(true).await.unwrap().next().is_some());
        let public = HttpJwks::new().unwrap();
        for uri in [
            "https://localhost/keys",
            "https://127.0.0.1/keys",
            "https://[::1]/keys",
            "https://2130706433/keys",
            "http://public.example/keys",
            "file:///etc/passwd",
            "nonsense",
        ] {
            assert!(public.fetch(uri).await.is_err(), "{uri}");
        }
    }
}
