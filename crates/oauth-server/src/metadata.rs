//! What the server tells about itself (RFC 8414).

use serde_json::{Value, json};

use crate::{AuthorizationServer, GrantType};

impl AuthorizationServer {
    /// The metadata document of the running configuration. Its URLs come from the issuer alone,
    /// never from a request.
    pub fn metadata(&self) -> Value {
        let endpoint = self.authorization_endpoint();
        let grants = GrantType::ALL.into_iter().filter(|grant| {
            // Without an endpoint nobody gets a code.
            let reachable = *grant != GrantType::AuthorizationCode || endpoint.is_some();
            reachable && self.supports(*grant)
        });
        let grants: Vec<_> = grants.map(GrantType::as_str).collect();
        let secret_methods = ["client_secret_basic", "client_secret_post"];
        let all_methods = ["client_secret_basic", "client_secret_post", "none"];
        let mut metadata = json!({
            "issuer": self.issuer(),
            "token_endpoint": self.endpoint("/token"),
            "token_endpoint_auth_methods_supported": all_methods,
            "grant_types_supported": grants,
            "response_types_supported": [],
            "revocation_endpoint": self.endpoint("/revoke"),
            "revocation_endpoint_auth_methods_supported": all_methods,
            "introspection_endpoint": self.endpoint("/introspect"),
            "introspection_endpoint_auth_methods_supported": secret_methods,
        });
        if self.supports(GrantType::DeviceCode) {
            metadata["device_authorization_endpoint"] =
                self.endpoint("/device_authorization").into();
        }
        if let Some(endpoint) = endpoint
            && self.supports(GrantType::AuthorizationCode)
        {
            metadata["authorization_endpoint"] = endpoint.into();
            metadata["response_types_supported"] = json!(["code"]);
            metadata["code_challenge_methods_supported"] = json!(["S256"]);
            metadata["authorization_response_iss_parameter_supported"] = true.into();
        }
        metadata
    }
}
