//! Authorization server metadata: RFC 8414, then OpenID Connect Discovery, issuer checked.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::{
    ClientAuthMethod, EndpointKind, EndpointUrl, Endpoints, Error, Limits, Transport,
    response::json_object,
};

/// What an authorization server says of itself (RFC 8414 §2).
#[derive(Clone, PartialEq)]
pub struct ServerMetadata {
    issuer: String,
    members: Map<String, Value>,
    /// Whether the issuer is on this machine's own networks, so that its endpoints may be.
    internal: bool,
}

impl ServerMetadata {
    /// Reads the metadata of `issuer`: at the RFC 8414 §3.1 address, then at OpenID Connect's. The
    /// `issuer` in it must be the same, character by character (RFC 8414 §3.3).
    ///
    /// # Errors
    /// A usage error when the issuer is not a safe URL; a protocol error when neither address has
    /// metadata or they are another issuer's; a transport error when nothing answers.
    pub async fn discover(issuer: &str, transport: Arc<dyn Transport>) -> Result<Self, Error> {
        Self::discover_as(issuer, issuer, transport).await
    }

    /// As [`ServerMetadata::discover`], for a server whose metadata name another issuer than the
    /// one they are found at (Ministry Platform's can say `Forms`).
    ///
    /// # Errors
    /// As [`ServerMetadata::discover`].
    pub async fn discover_as(
        at: &str,
        expected_issuer: &str,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, Error> {
        Self::fetch(at, expected_issuer, &*transport)
            .await
            .map_err(|error| error.at(EndpointKind::Metadata))
    }

    async fn fetch(
        at: &str,
        expected_issuer: &str,
        transport: &dyn Transport,
    ) -> Result<Self, Error> {
        let issuer = EndpointUrl::parse(at)?;
        if issuer.as_url().query().is_some() {
            return Err(Error::usage(
                "an issuer has no query part (RFC 8414 section 2)",
            ));
        }
        let mut last = StatusCode::NOT_FOUND;
        let mut unreadable = None;
        for address in addresses(&issuer) {
            let response = get(&address, transport).await?;
            last = response.status();
            if last == StatusCode::OK {
                match json_object(&response) {
                    Ok(members) => {
                        return Self::check(members, expected_issuer, issuer.is_internal());
                    }
                    // A page for every address: the metadata may still be at the other one.
                    Err(error) => unreadable = Some(error),
                }
            }
            if !last.is_client_error() && last != StatusCode::OK {
                break;
            }
        }
        let none = || {
            Error::protocol(
                "the issuer has no metadata (RFC 8414 section 3, OpenID Connect Discovery section 4)",
            )
        };
        Err(unreadable.unwrap_or_else(none).with_status(last))
    }

    fn check(
        members: Map<String, Value>,
        expected_issuer: &str,
        internal: bool,
    ) -> Result<Self, Error> {
        match members.get("issuer") {
            Some(Value::String(issuer)) if issuer == expected_issuer => Ok(Self {
                issuer: expected_issuer.to_owned(),
                members,
                internal,
            }),
            _ => Err(Error::protocol(
                "the metadata are of another issuer (RFC 8414 section 3.3)",
            )),
        }
    }

    /// The issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Every member, as it came.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The endpoints it names.
    ///
    /// # Errors
    /// A protocol error when there is no token endpoint, when one is not https, or when one lies
    /// on a private network though the issuer does not.
    pub fn endpoints(&self) -> Result<Endpoints, Error> {
        self.endpoints_in(&Map::new())
    }

    /// The endpoints for a client that authenticates with a certificate: those of
    /// `mtls_endpoint_aliases` (RFC 8705 §5) before the others.
    ///
    /// # Errors
    /// As [`ServerMetadata::endpoints`].
    pub fn mtls_endpoints(&self) -> Result<Endpoints, Error> {
        match self.members.get("mtls_endpoint_aliases") {
            Some(Value::Object(aliases)) => self.endpoints_in(aliases),
            _ => self.endpoints(),
        }
    }

    fn endpoints_in(&self, aliases: &Map<String, Value>) -> Result<Endpoints, Error> {
        let token = self
            .endpoint(aliases, "token_endpoint")?
            .ok_or_else(|| Error::protocol("the metadata name no token endpoint"))?;
        let mut endpoints = Endpoints::new(token)?
            .with_issuer(&self.issuer)
            .with_iss_in_callback(
                self.members
                    .get("authorization_response_iss_parameter_supported")
                    == Some(&Value::Bool(true)),
            )
            .with_pushed_authorization_required(
                self.members.get("require_pushed_authorization_requests")
                    == Some(&Value::Bool(true)),
            );
        type Set = fn(Endpoints, &str) -> Result<Endpoints, Error>;
        let optional: [(&str, Set); 7] = [
            ("authorization_endpoint", Endpoints::with_authorization),
            ("revocation_endpoint", Endpoints::with_revocation),
            ("introspection_endpoint", Endpoints::with_introspection),
            (
                "device_authorization_endpoint",
                Endpoints::with_device_authorization,
            ),
            ("userinfo_endpoint", Endpoints::with_userinfo),
            (
                "pushed_authorization_request_endpoint",
                Endpoints::with_pushed_authorization,
            ),
            ("jwks_uri", Endpoints::with_jwks),
        ];
        for (name, set) in optional {
            if let Some(url) = self.endpoint(aliases, name)? {
                endpoints = set(endpoints, url)?;
            }
        }
        Ok(endpoints)
    }

    /// The first client authentication method of ours that the server takes; Basic when it lists
    /// none (RFC 8414 §2); `None` when it lists only others.
    #[must_use]
    pub fn client_authentication(&self) -> Option<ClientAuthMethod> {
        let ours = [
            ("client_secret_basic", ClientAuthMethod::Basic),
            ("client_secret_post", ClientAuthMethod::Post),
            ("none", ClientAuthMethod::None),
        ];
        match self.lists(
            "token_endpoint_auth_methods_supported",
            "client_secret_basic",
        ) {
            None => Some(ClientAuthMethod::Basic),
            Some(_) => ours
                .into_iter()
                .find(|(name, _)| {
                    self.lists("token_endpoint_auth_methods_supported", name) == Some(true)
                })
                .map(|(_, method)| method),
        }
    }

    /// Whether the list `name` has `item`; `None` when there is no such list.
    pub(crate) fn lists(&self, name: &str, item: &str) -> Option<bool> {
        match self.members.get(name) {
            Some(Value::Array(list)) => Some(list.iter().any(|have| have == item)),
            _ => None,
        }
    }

    fn endpoint<'a>(
        &'a self,
        aliases: &'a Map<String, Value>,
        name: &str,
    ) -> Result<Option<&'a str>, Error> {
        let text = match aliases.get(name).or_else(|| self.members.get(name)) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(_) => {
                return Err(Error::protocol(
                    "the metadata have an endpoint that is not a text",
                ));
            }
        };
        let url = EndpointUrl::parse(text).map_err(|_| {
            Error::protocol("the metadata name an endpoint that is not https (RFC 8414 section 2)")
        })?;
        if url.is_internal() && !self.internal {
            return Err(Error::protocol(
                "the metadata of a public issuer name an endpoint on a private network",
            ));
        }
        Ok(Some(text))
    }
}

impl fmt::Debug for ServerMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMetadata")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect after it.
fn addresses(issuer: &EndpointUrl) -> [url::Url; 2] {
    let path = issuer.as_url().path().trim_end_matches('/').to_owned();
    let with = |path: String| {
        let mut url = issuer.as_url().clone();
        url.set_path(&path);
        url
    };
    [
        with(format!("/.well-known/oauth-authorization-server{path}")),
        with(format!("{path}/.well-known/openid-configuration")),
    ]
}

async fn get(
    address: &url::Url,
    transport: &dyn Transport,
) -> Result<http::Response<Bytes>, Error> {
    let mut request = http::Request::get(address.as_str())
        .body(Bytes::new())
        .map_err(|_| Error::usage("the issuer is not a URL that HTTP can ask for"))?;
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    transport
        .send(request, Limits::default())
        .await
        .map_err(Error::transport)
}
