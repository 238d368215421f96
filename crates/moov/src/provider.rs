//! Moov as an authorization server: what it does differently from the RFCs.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderMap;
use oauth_core::{
    AccessToken, Capabilities, Capability, ClientAuthMethod, ClientAuthentication, EndpointKind,
    EndpointRequest, Endpoints, Error, ErrorCode, GenericProvider, OAuthError, Provider,
    RetryPolicy, TokenContext, TokenReader, TokenSet,
};
use secrecy::SecretString;

use crate::{
    BodyFormat, Credentials, Version, expiry, refusal, scope::check_filled, site::Site, version,
    wait,
};

/// Moov: endpoints, and the headers that go with every call.
///
/// ```
/// use moov::{Moov, oauth_core::Provider};
///
/// let moov = Moov::new().with_origin("https://example.com")?.with_version("v2026.07.00".parse()?);
/// assert_eq!(moov.endpoints().token().as_str(), "https://api.moov.io/oauth2/token");
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Moov {
    plain: GenericProvider,
    site: Option<Site>,
    version: Option<Version>,
    body: BodyFormat,
    credentials: Credentials,
}

impl Moov {
    /// Where Moov's API is.
    pub const BASE_URL: &'static str = "https://api.moov.io";

    /// Moov at [`Moov::BASE_URL`].
    #[must_use]
    pub fn new() -> Self {
        Self::at(Self::BASE_URL).expect("the URL is a constant that Moov::at takes")
    }

    /// Moov at another place: a test server.
    ///
    /// # Errors
    /// A usage error when `base_url` is neither https nor loopback, has a query part or fragment,
    /// or names an API version in its path, which Moov answers with 403.
    pub fn at(base_url: &str) -> Result<Self, Error> {
        let base = base_url.trim_end_matches('/');
        if base.contains(['?', '#']) {
            return Err(Error::usage(
                "the base URL has a query part or a fragment; leave it out",
            ));
        }
        if base.split('/').skip(3).any(is_version) {
            return Err(Error::usage(
                "the base URL has an API version in its path; set it with version(), it goes into a header",
            ));
        }
        let endpoints = Endpoints::new(&format!("{base}/oauth2/token"))?
            .with_revocation(&format!("{base}/oauth2/revoke"))?;
        let capabilities = Capabilities::of([
            Capability::ClientCredentials,
            Capability::RefreshToken,
            Capability::Revocation,
            Capability::ScopeAtToken,
        ]);
        Ok(Self {
            plain: GenericProvider::new(endpoints)
                .with_name("moov")
                .with_capabilities(capabilities),
            site: None,
            version: None,
            body: BodyFormat::default(),
            credentials: Credentials::default(),
        })
    }

    /// Sends `Origin`: one of the domains in the key pair's list, as scheme and host.
    ///
    /// # Errors
    /// A usage error when there is a path, a trailing slash, or no scheme.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, Error> {
        self.site = Some(Site::origin(origin)?);
        Ok(self)
    }

    /// Sends `Referer` instead of `Origin`: a URL on one of the domains in the key pair's list.
    ///
    /// # Errors
    /// A usage error when it is not an absolute URL.
    pub fn with_referer(mut self, referer: &str) -> Result<Self, Error> {
        self.site = Some(Site::referer(referer)?);
        Ok(self)
    }

    /// Asks for a version of the API, with every call.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets how bodies are written, JSON otherwise.
    #[must_use]
    pub fn with_body(mut self, body: BodyFormat) -> Self {
        self.body = body;
        self
    }

    /// Sets where the key pair goes, HTTP Basic otherwise.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Adds what every call carries beside its authorization.
    fn common_headers(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        if let Some(site) = &self.site {
            site.apply(headers);
        }
        if let Some(version) = self.version {
            headers.insert(version::HEADER, version.header()?);
        }
        Ok(())
    }
}

impl Default for Moov {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Moov {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn endpoints(&self) -> &Endpoints {
        self.plain.endpoints()
    }

    fn capabilities(&self) -> Capabilities {
        self.plain.capabilities()
    }

    /// Raw Basic: no key of Moov's has a character that RFC 6749 §2.3.1 would encode, and the
    /// official SDKs don't encode.
    fn client_authentication(&self) -> ClientAuthMethod {
        match self.credentials {
            Credentials::Body => ClientAuthMethod::Post,
            Credentials::Basic | Credentials::Both => ClientAuthMethod::BasicRaw,
        }
    }

    fn request(&self, mut request: EndpointRequest<'_>) -> Result<http::Request<Bytes>, Error> {
        self.common_headers(request.headers_mut())?;
        check_filled(request.params().expose("scope").unwrap_or_default())?;
        if request.endpoint() == EndpointKind::Token {
            self.token_parameters(&mut request)?;
        } else {
            self.authenticate(&mut request)?;
        }
        match self.body {
            BodyFormat::Json => request.into_json(),
            BodyFormat::Form => request.into_form(),
        }
    }

    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, Error> {
        let ends = OnceLock::new();
        let token = TokenReader::new(context)
            .bearer_types(&["opaque", "jwt"])
            .rewrite(|members| {
                if let Some(at) = expiry::take_unix_time(members, context.issued_at) {
                    // Nobody else sets it: the reader rewrites once.
                    ends.set(at).ok();
                }
            })
            .read(response)?;
        Ok(match ends.get() {
            Some(at) => token.with_expires_at(Some(*at)),
            None => token,
        })
    }

    fn error_response(
        &self,
        endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        refusal::unprocessable(endpoint, response)
            .or_else(|| self.plain.error_response(endpoint, response))
    }

    fn authorize_request(&self, token: &AccessToken, headers: &mut HeaderMap) -> Result<(), Error> {
        self.plain.authorize_request(token, headers)?;
        self.common_headers(headers)
    }

    /// Moov says it with 400 or 422, in prose or about a field; a new token costs the key pair only.
    /// A code that names another reason (RFC 6749 §5.2) is no word about the refresh token.
    fn ends_refresh_token(&self, error: &Error) -> bool {
        let code = error.code();
        let named =
            code.is_none_or(|code| matches!(code, ErrorCode::InvalidGrant | ErrorCode::Other(_)));
        named && error.status().is_some_and(refusal::is_final)
    }

    fn retry_after(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        wait::hint(headers, || self.plain.retry_after(headers, now))
    }

    /// Nothing is tried again unless it is asked for, as in the official SDKs.
    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::none()
    }
}

impl Moov {
    /// Orders the members as the official SDKs do: grant type, key pair, scope, refresh token.
    fn token_parameters(&self, request: &mut EndpointRequest<'_>) -> Result<(), Error> {
        let params = request.params_mut();
        let scope = params.expose("scope").map(str::to_owned);
        let refresh_token = params.expose("refresh_token").map(SecretString::from);
        params.remove("scope");
        params.remove("refresh_token");
        self.authenticate(request)?;
        let params = request.params_mut();
        if let Some(scope) = scope {
            params.push("scope", scope);
        }
        if let Some(token) = refresh_token {
            params.push_secret("refresh_token", &token);
        }
        Ok(())
    }

    fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), Error> {
        request.authenticate()?;
        if self.credentials == Credentials::Both {
            let client = request.client();
            let method = match client.method() {
                ClientAuthMethod::Post => ClientAuthMethod::BasicRaw,
                _ => ClientAuthMethod::Post,
            };
            request.set_client(ClientAuthentication::new(
                client.client_id(),
                method,
                client.secret().cloned(),
            )?);
            request.authenticate()?;
        }
        Ok(())
    }
}

/// A path segment such as `v1` or `v2026.07.00`.
fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix(['v', 'V'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
