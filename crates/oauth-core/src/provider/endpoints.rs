//! Where the endpoints are: URLs that cannot be unsafe ones.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use http::Uri;
use url::{Host, Url};

use crate::Error;

/// Which endpoint a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointKind {
    /// RFC 6749 §3.1.
    Authorization,
    /// RFC 6749 §3.2.
    Token,
    /// RFC 7009.
    Revocation,
    /// RFC 7662.
    Introspection,
    /// RFC 8628 §3.1.
    DeviceAuthorization,
    /// OpenID Connect Core §5.3.
    UserInfo,
    /// RFC 8414.
    Metadata,
    /// A protected resource: an API that takes access tokens (RFC 6749 §7).
    Resource,
    /// RFC 9126.
    PushedAuthorization,
    /// The server's public keys (RFC 7517 §5).
    Jwks,
    /// An endpoint of the provider's own.
    Other(&'static str),
}

impl EndpointKind {
    /// The name in errors and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Token => "token",
            Self::Revocation => "revocation",
            Self::Introspection => "introspection",
            Self::DeviceAuthorization => "device authorization",
            Self::UserInfo => "userinfo",
            Self::Metadata => "metadata",
            Self::Resource => "resource",
            Self::PushedAuthorization => "pushed authorization request",
            Self::Jwks => "JWKS",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The URL of an endpoint: https (http only to loopback, RFC 8252 §7.3), no fragment, no user
/// information. Its query part, if any, is kept (RFC 6749 §3.1).
///
/// ```
/// use oauth_core::EndpointUrl;
///
/// assert!(EndpointUrl::parse("https://id.example.com/token").is_ok());
/// assert!(EndpointUrl::parse("http://127.0.0.1:8080/token").is_ok());
/// assert!(EndpointUrl::parse("http://id.example.com/token").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Arc<Parsed>);

/// Once, for all the requests that go there.
#[derive(PartialEq, Eq)]
struct Parsed {
    url: Url,
    uri: Uri,
}

impl EndpointUrl {
    /// The endpoint at `text`.
    ///
    /// # Errors
    /// A usage error that says which rule the URL breaks; it does not repeat the URL.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url =
            Url::parse(text).map_err(|_| Error::usage("an endpoint is not an absolute URL"))?;
        if url.fragment().is_some() {
            return Err(Error::usage(
                "an endpoint URL has a fragment; take it away (RFC 6749 section 3.1)",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::usage(
                "an endpoint URL has user information; credentials never go into a URL",
            ));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(Error::usage(
                    "an endpoint URL is plain http to a host that is not loopback; use https (RFC 6749 section 3.2)",
                ));
            }
            _ => {
                return Err(Error::usage(
                    "an endpoint URL is neither https nor http to loopback",
                ));
            }
        }
        let uri = Uri::try_from(url.as_str())
            .map_err(|_| Error::usage("an endpoint URL is not one that HTTP can ask for"))?;
        Ok(Self(Arc::new(Parsed { url, uri })))
    }

    /// The URL that `request` was built with, if it still goes there: no need to parse it again.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<&Self> {
        let url = request.extensions().get::<Self>()?;
        let (asked, own) = (request.uri(), url.as_uri());
        (is_copy(asked, own) || asked == own).then_some(url)
    }

    /// The URL.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0.url
    }

    /// As a request names it.
    pub(crate) fn as_uri(&self) -> &Uri {
        &self.0.uri
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.as_url().as_str()
    }

    /// Whether the host is an address of a private, link-local or loopback network, which a
    /// public issuer has no business to name.
    pub(crate) fn is_internal(&self) -> bool {
        match self.as_url().host() {
            Some(Host::Ipv4(ip)) => is_internal(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => is_internal(IpAddr::V6(ip)),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => true,
        }
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An endpoint may have a query part; what it holds is nobody's business.
        let mut shown = self.as_url().clone();
        shown.set_query(self.as_url().query().map(|_| "***"));
        write!(f, "{:?}", shown.as_str())
    }
}

impl FromStr for EndpointUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// Whether both are the same text in the same place, as copies of a URI are: found out without
/// reading it.
fn is_copy(one: &Uri, other: &Uri) -> bool {
    let parts = |uri: &Uri| {
        let authority = uri.authority().map(|it| std::ptr::from_ref(it.as_str()));
        let path = uri
            .path_and_query()
            .map(|it| std::ptr::from_ref(it.as_str()));
        (authority, path)
    };
    parts(one) == parts(other) && one.scheme() == other.scheme()
}

/// Whether the host is this machine, after the URL parser has normalised it: 127.0.0.0/8, ::1 or
/// `localhost`, nothing that only looks like it.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            let mapped = ip
                .to_ipv4_mapped()
                .is_some_and(|ip| is_internal(IpAddr::V4(ip)));
            mapped
                || ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

/// Where the endpoints of an authorization server are, and its issuer identifier.
///
/// ```
/// use oauth_core::Endpoints;
///
/// let endpoints = Endpoints::new("https://id.example.com/token")?
///     .with_authorization("https://id.example.com/authorize")?
///     .with_issuer("https://id.example.com");
/// assert!(endpoints.revocation().is_none());
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    token: EndpointUrl,
    authorization: Option<EndpointUrl>,
    revocation: Option<EndpointUrl>,
    introspection: Option<EndpointUrl>,
    device_authorization: Option<EndpointUrl>,
    userinfo: Option<EndpointUrl>,
    pushed_authorization: Option<EndpointUrl>,
    jwks: Option<EndpointUrl>,
    issuer: Option<String>,
    iss_in_callback: bool,
    pushed_authorization_required: bool,
}

macro_rules! optional_endpoint {
    ($($(#[$doc:meta])* $get:ident, $set:ident;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $get(&self) -> Option<&EndpointUrl> {
                self.$get.as_ref()
            }

            $(#[$doc])*
            ///
            /// # Errors
            /// As [`EndpointUrl::parse`].
            pub fn $set(mut self, url: &str) -> Result<Self, Error> {
                self.$get = Some(EndpointUrl::parse(url)?);
                Ok(self)
            }
        )*
    };
}

impl Endpoints {
    /// A server with only a token endpoint.
    ///
    /// # Errors
    /// As [`EndpointUrl::parse`].
    pub fn new(token: &str) -> Result<Self, Error> {
        Ok(Self {
            token: EndpointUrl::parse(token)?,
            authorization: None,
            revocation: None,
            introspection: None,
            device_authorization: None,
            userinfo: None,
            pushed_authorization: None,
            jwks: None,
            issuer: None,
            iss_in_callback: false,
            pushed_authorization_required: false,
        })
    }

    /// The token endpoint (RFC 6749 §3.2).
    #[must_use]
    pub fn token(&self) -> &EndpointUrl {
        &self.token
    }

    optional_endpoint! {
        /// The authorization endpoint (RFC 6749 §3.1).
        authorization, with_authorization;
        /// The revocation endpoint (RFC 7009).
        revocation, with_revocation;
        /// The introspection endpoint (RFC 7662).
        introspection, with_introspection;
        /// The device authorization endpoint (RFC 8628 §3.1).
        device_authorization, with_device_authorization;
        /// The userinfo endpoint (OpenID Connect Core §5.3).
        userinfo, with_userinfo;
        /// The pushed authorization request endpoint (RFC 9126 §2).
        pushed_authorization, with_pushed_authorization;
        /// Where the server's public keys are (RFC 8414 §2, `jwks_uri`).
        jwks, with_jwks;
    }

    /// The issuer identifier (RFC 8414 §2), character by character.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Sets the issuer identifier.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Whether the server says that every authorization response carries `iss` (RFC 9207 §3).
    #[must_use]
    pub fn iss_in_callback(&self) -> bool {
        self.iss_in_callback
    }

    /// Sets whether every authorization response carries `iss`; then one without it is refused.
    #[must_use]
    pub fn with_iss_in_callback(mut self, iss_in_callback: bool) -> Self {
        self.iss_in_callback = iss_in_callback;
        self
    }

    /// Whether the server takes authorization requests only when they were pushed (RFC 9126 §5).
    #[must_use]
    pub fn pushed_authorization_required(&self) -> bool {
        self.pushed_authorization_required
    }

    /// Sets whether authorization requests must be pushed; then one that is not is refused here.
    #[must_use]
    pub fn with_pushed_authorization_required(mut self, required: bool) -> Self {
        self.pushed_authorization_required = required;
        self
    }

    /// Every URL of the server that is known here.
    pub(crate) fn all(&self) -> impl Iterator<Item = &EndpointUrl> {
        let optional = [
            &self.authorization,
            &self.revocation,
            &self.introspection,
            &self.device_authorization,
            &self.userinfo,
            &self.pushed_authorization,
            &self.jwks,
        ];
        std::iter::once(&self.token).chain(optional.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_sent_elsewhere_since_is_not_trusted() {
        let url = EndpointUrl::parse("https://id.example.com/token?a=b").unwrap();
        let mut request = http::Request::post(url.as_str())
            .extension(url.clone())
            .body(())
            .unwrap();
        assert_eq!(EndpointUrl::of(&request), Some(&url));
        for other in [
            "http://id.example.com/token?a=b",
            "https://evil.example.com/token?a=b",
            "https://id.example.com/token",
            "https://id.example.com:444/token?a=b",
        ] {
            *request.uri_mut() = other.parse().unwrap();
            assert_eq!(EndpointUrl::of(&request), None, "{other}");
        }
        *request.uri_mut() = url.as_uri().clone();
        assert_eq!(EndpointUrl::of(&request), Some(&url), "a copy");
        let mut parts = url.as_uri().clone().into_parts();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        *request.uri_mut() = Uri::from_parts(parts).unwrap();
        assert_eq!(EndpointUrl::of(&request), None, "a copy in clear");
    }

    #[test]
    fn only_real_loopback_may_be_plain() {
        for good in [
            "http://127.0.0.1/t",
            "http://127.9.9.9:1/t",
            "http://[::1]/t",
            "http://LOCALHOST:8/t",
            "http://0x7f.1/t",
        ] {
            assert!(EndpointUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://127.0.0.1.evil.com/t",
            "http://0.0.0.0/t",
            "http://[::ffff:10.0.0.1]/t",
            "http://167772161/t",
            "http://012.0.0.1/t",
            "http://localhost.evil.com/t",
            "http://localhost./t",
            "http://evil.com/t",
            "ftp://127.0.0.1/t",
            "https://user@host/t",
            "https://user:pw@host/t",
            "https://host/t#f",
            "/t",
            "",
        ] {
            assert!(EndpointUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
