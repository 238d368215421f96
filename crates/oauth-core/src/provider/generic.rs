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

    /// The server that `metadata` describes (RFC 8414 §2).
    ///
    /// # Errors
    /// A protocol error when the metadata names no token endpoint or an unsafe one; a usage error
    /// when none of the client authentication methods it lists is one of ours.
    pub fn from_metadata(metadata: &ServerMetadata) -> Result<Self, Error> {
        let mut this = Self::new(metadata.endpoints()?);
        this.client_authentication = metadata.client_authentication()?;
        this.capabilities = this.capabilities.with(Capability::Discovery);
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
