//! GitHub as a provider: the crate that `docs/adding-a-provider.md` builds.
//!
//! ```
//! use example_provider::GitHub;
//! use oauth_core::{Client, Provider};
//!
//! let github = GitHub::new();
//! assert_eq!(github.endpoints().token().as_str(), "https://github.com/login/oauth/access_token");
//! let client = Client::builder(github, "client-id").client_secret("secret").build()?;
//! # Ok::<(), oauth_core::Error>(())
//! ```

use bytes::Bytes;
use oauth_core::{
    Capabilities, Capability, ClientAuthMethod, EndpointKind, Endpoints, Error, ErrorCode,
    OAuthError, Provider, TokenContext, TokenReader, TokenSet,
};
use serde_json::{Map, Value};

/// GitHub's OAuth apps.
#[derive(Debug, Clone)]
pub struct GitHub(Endpoints);

impl GitHub {
    /// The real GitHub.
    #[must_use]
    pub fn new() -> Self {
        Self::at("https://github.com").expect("constant URLs, parsed by the example above")
    }

    /// GitHub's paths on another server: GitHub Enterprise, or one for tests.
    ///
    /// # Errors
    /// A usage error when `base_url` is neither https nor loopback.
    pub fn at(base_url: &str) -> Result<Self, Error> {
        let endpoints = Endpoints::new(&format!("{base_url}/login/oauth/access_token"))?
            .with_authorization(&format!("{base_url}/login/oauth/authorize"))?
            .with_device_authorization(&format!("{base_url}/login/device/code"))?;
        Ok(Self(endpoints))
    }
}

impl Default for GitHub {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for GitHub {
    fn name(&self) -> &str {
        "github"
    }

    fn endpoints(&self) -> &Endpoints {
        &self.0
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::of([
            Capability::AuthorizationCode,
            Capability::Pkce,
            Capability::DeviceCode,
            Capability::PublicClients,
        ])
    }

    fn client_authentication(&self) -> ClientAuthMethod {
        ClientAuthMethod::Post
    }

    /// The core asks for JSON, and GitHub then answers in it; a proxy that drops `Accept` gets a
    /// form. A refusal comes with status 200.
    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, Error> {
        TokenReader::new(context)
            .form(true)
            .rewrite(rewrite)
            .read(response)
    }

    fn error_response(
        &self,
        _endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        let error = OAuthError::from_response(response)?;
        Some(match registered(error.code().as_str()) {
            Some(code) => error.with_code(ErrorCode::new(code)),
            None => error,
        })
    }
}

/// GitHub's members as RFC 6749 §5 has them: scopes with blanks between, codes of the registry.
fn rewrite(members: &mut Map<String, Value>) {
    if let Some(Value::String(scope)) = members.get_mut("scope") {
        *scope = scope.replace(',', " ");
    }
    if let Some(Value::String(error)) = members.get_mut("error")
        && let Some(code) = registered(error)
    {
        code.clone_into(error);
    }
}

/// The code of the registry that means the same as one of GitHub's own.
fn registered(code: &str) -> Option<&'static str> {
    match code {
        "bad_verification_code" | "incorrect_device_code" => Some("invalid_grant"),
        "incorrect_client_credentials" => Some("invalid_client"),
        "redirect_uri_mismatch" => Some("invalid_request"),
        "device_flow_disabled" => Some("unauthorized_client"),
        _ => None,
    }
}
