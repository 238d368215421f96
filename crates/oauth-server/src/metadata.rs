//! What the server tells about itself (RFC 8414, OpenID Connect Discovery).

use serde_json::{Value, json};

use crate::{AuthorizationServer, ContextError, GrantType, SigningAlgorithm, SigningKeys};

impl AuthorizationServer {
    /// The metadata document of the running configuration, without the scopes, which may be in a
    /// store. Its URLs come from the issuer alone,
    /// never from a request.
    pub fn metadata(&self) -> Value {
        let endpoint = self.authorization_endpoint();
        let grants = GrantType::ALL.into_iter().filter(|grant| {
            // Without an endpoint nobody gets a code.
            let of_endpoint = [GrantType::AuthorizationCode, GrantType::Implicit];
            let reachable = !of_endpoint.contains(grant) || endpoint.is_some();
            reachable && self.supports(*grant)
        });
        let grants: Vec<_> = grants.map(GrantType::as_str).collect();
        let mut confidential = vec!["client_secret_basic", "client_secret_post"];
        if cfg!(feature = "jwt") {
            confidential.extend(["private_key_jwt", "client_secret_jwt"]);
        }
        let all_methods = [confidential.as_slice(), &["none"]].concat();
        let mut metadata = json!({
            "issuer": self.issuer(),
            "token_endpoint": self.endpoint("/token"),
            "token_endpoint_auth_methods_supported": all_methods,
            "grant_types_supported": grants,
            "response_types_supported": [],
            "revocation_endpoint": self.endpoint("/revoke"),
            "revocation_endpoint_auth_methods_supported": all_methods,
            "introspection_endpoint": self.endpoint("/introspect"),
            "introspection_endpoint_auth_methods_supported": confidential,
        });
        if cfg!(feature = "jwt") {
            let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str);
            metadata["dpop_signing_alg_values_supported"] = json!(algorithms);
            let assertions = [algorithms.as_slice(), &["HS256"]].concat();
            for endpoint in ["token", "revocation", "introspection"] {
                let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
                metadata[name] = json!(assertions);
            }
        }
        if let Some(keys) = self.signing_keys() {
            metadata["jwks_uri"] = self.endpoint("/jwks").into();
            metadata["userinfo_endpoint"] = self.endpoint("/userinfo").into();
            metadata["subject_types_supported"] = json!(["public"]);
            metadata["id_token_signing_alg_values_supported"] =
                json!([keys.current().algorithm().as_str()]);
            // OpenID Connect Discovery §3: left out, they would be supported.
            metadata["request_uri_parameter_supported"] = false.into();
        }
        if self.supports(GrantType::DeviceCode) {
            metadata["device_authorization_endpoint"] =
                self.endpoint("/device_authorization").into();
        }
        let response_types = [
            (GrantType::AuthorizationCode, "code"),
            (GrantType::Implicit, "token"),
        ];
        let response_types = response_types
            .into_iter()
            .filter(|(it, _)| self.supports(*it));
        let response_types: Vec<_> = response_types.map(|(_, name)| name).collect();
        if let Some(endpoint) = endpoint
            && !response_types.is_empty()
        {
            metadata["authorization_endpoint"] = endpoint.into();
            metadata["response_modes_supported"] = match response_types.contains(&"token") {
                true => json!(["query", "fragment"]),
                false => json!(["query"]),
            };
            metadata["response_types_supported"] = response_types.into();
            metadata["code_challenge_methods_supported"] = json!(["S256"]);
            metadata["authorization_response_iss_parameter_supported"] = true.into();
            if self.supports(GrantType::AuthorizationCode) {
                metadata["pushed_authorization_request_endpoint"] = self.endpoint("/par").into();
                metadata["require_pushed_authorization_requests"] =
                    self.requires_pushed_requests().into();
            }
        }
        metadata
    }

    /// The metadata document with `scopes_supported`: the scopes of the context `Scopes`, if the
    /// server was given one. This is what is served.
    ///
    /// # Errors
    ///
    /// When that context fails.
    pub async fn metadata_with_scopes(&self) -> Result<Value, ContextError> {
        let mut metadata = self.metadata();
        if let Some(scopes) = self.known_scopes().await? {
            let names = scopes.into_iter().map(|scope| scope.name);
            metadata["scopes_supported"] = names.collect();
        }
        Ok(metadata)
    }

    /// The public keys that its tokens can be verified with (RFC 7517 §5).
    pub fn jwks(&self) -> Value {
        let keys = self.signing_keys();
        keys.map_or_else(|| json!({ "keys": [] }), SigningKeys::jwks)
    }

    pub(crate) fn has_openid(&self) -> bool {
        self.signing_keys().is_some()
    }
}
