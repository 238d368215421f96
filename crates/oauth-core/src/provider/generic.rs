//! A server that follows the RFCs: from explicit endpoints, or from its metadata.

use super::{Capabilities, Capability, Endpoints, Provider};
use crate::{ClientAuthMethod, Error, ServerMetadata};

/// An authorization server without bends.
///
/// ```
/// use oauth_core::{Client, Endpoints, GenericProvider};
///
/// let provider = GenericProvider::new(Endpoints::new("https://id.example.com/token")?);
/// # #[cfg(feature = "rustls")]
/// let client = Client::builder(provider, "client-id").client_secret("secret").build()?;
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GenericProvider {
    name: String,
    endpoints: Endpoints,
    capabilities: Capabilities,
    client_authentication: ClientAuthMethod,
}

impl GenericProvider {
    /// A server at these endpoints, able to do what they are for.
    #[must_use]
    pub fn new(endpoints: Endpoints) -> Self {
        let mut capabilities = Capabilities::of([
            Capability::ClientCredentials,
            Capability::Password,
            Capability::RefreshToken,
            Capability::PublicClients,
            Capability::ScopeOnRefresh,
            Capability::ScopeAtToken,
            Capability::JwtBearer,
            Capability::TokenExchange,
            Capability::Dpop,
        ]);
        let by_endpoint = [
            (
                endpoints.authorization().is_some(),
                Capability::AuthorizationCode,
            ),
            (endpoints.authorization().is_some(), Capability::Pkce),
            (
                endpoints.device_authorization().is_some(),
                Capability::DeviceCode,
            ),
            (endpoints.revocation().is_some(), Capability::Revocation),
            (
                endpoints.introspection().is_some(),
                Capability::Introspection,
            ),
            (endpoints.userinfo().is_some(), Capability::UserInfo),
            (
                endpoints.pushed_authorization().is_some(),
                Capability::PushedAuthorization,
            ),
        ];
        for (_, capability) in by_endpoint.into_iter().filter(|(there, _)| *there) {
            capabilities = capabilities.with(capability);
        }
        Self {
            name: "generic".to_owned(),
            endpoints,
            capabilities,
            client_authentication: ClientAuthMethod::Basic,
        }
    }

    /// The server that `metadata` describes (RFC 8414 §2): its endpoints, the grants it lists, and
    /// the first client authentication method of ours that it takes. When it takes none of ours,
    /// clients with a secret must be told a method.
    ///
    /// # Errors
    /// A protocol error when the metadata name no token endpoint or an unsafe one.
    pub fn from_metadata(metadata: &ServerMetadata) -> Result<Self, Error> {
        let method = metadata.client_authentication();
        Self::described(
            metadata,
            metadata.endpoints()?,
            method.unwrap_or(ClientAuthMethod::None),
        )
    }

    /// As [`GenericProvider::from_metadata`], for clients that authenticate with a certificate
    /// (RFC 8705 §2): at the addresses in `mtls_endpoint_aliases` where there are any (§5).
    ///
    /// # Errors
    /// As [`GenericProvider::from_metadata`].
    pub fn from_metadata_mtls(metadata: &ServerMetadata) -> Result<Self, Error> {
        Self::described(metadata, metadata.mtls_endpoints()?, ClientAuthMethod::Tls)
    }

    fn described(
        metadata: &ServerMetadata,
        endpoints: Endpoints,
        method: ClientAuthMethod,
    ) -> Result<Self, Error> {
        let mut this = Self::new(endpoints);
        this.capabilities = this.capabilities.with(Capability::Discovery);
        this.client_authentication = method;
        if metadata.lists("dpop_signing_alg_values_supported", "ES256") != Some(true) {
            this.capabilities = this.capabilities.without(Capability::Dpop);
        }
        let grants = [
            ("client_credentials", Capability::ClientCredentials),
            ("password", Capability::Password),
            ("authorization_code", Capability::AuthorizationCode),
            ("refresh_token", Capability::RefreshToken),
            (
                "urn:ietf:params:oauth:grant-type:device_code",
                Capability::DeviceCode,
            ),
            (
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                Capability::JwtBearer,
            ),
            (
                "urn:ietf:params:oauth:grant-type:token-exchange",
                Capability::TokenExchange,
            ),
        ];
        for (grant, capability) in grants {
            if metadata.lists("grant_types_supported", grant) == Some(false) {
                this.capabilities = this.capabilities.without(capability);
            }
        }
        Ok(this)
    }

    /// Sets the name in errors and logs, `generic` otherwise.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how confidential clients authenticate.
    #[must_use]
    pub fn with_client_authentication(mut self, method: ClientAuthMethod) -> Self {
        self.client_authentication = method;
        self
    }

    /// Sets what the server can do.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}

impl Provider for GenericProvider {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn client_authentication(&self) -> ClientAuthMethod {
        self.client_authentication
    }
}
