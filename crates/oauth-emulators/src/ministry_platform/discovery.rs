//! The discovery document, as a real server was seen to send it, without the session endpoints
//! that are not here.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{BASE, MinistryPlatform, SCOPES};
use crate::reply;

impl MinistryPlatform {
    /// The issuer of older servers is no URL (OpenID Connect Discovery 1.0 §4.3 wants one).
    pub(super) fn discovery(&self) -> Response<Bytes> {
        let oauth = format!("{}{BASE}/oauth", self.base_url);
        let mut document = document();
        for (member, path) in [
            ("authorization_endpoint", "/connect/authorize"),
            ("token_endpoint", "/connect/token"),
            ("userinfo_endpoint", "/connect/userinfo"),
            ("revocation_endpoint", "/connect/revocation"),
            ("introspection_endpoint", "/connect/introspect"),
            ("jwks_uri", "/.well-known/jwks"),
            ("issuer", ""),
        ] {
            document[member] = format!("{oauth}{path}").into();
        }
        if self.switches.get().forms_issuer {
            document["issuer"] = "Forms".into();
        }
        reply::json(StatusCode::OK, &document)
    }
}

pub(super) fn keys() -> Response<Bytes> {
    reply::json(StatusCode::OK, &json!({"keys": []}))
}

fn document() -> Value {
    json!({
        "scopes_supported": SCOPES,
        "claims_supported": [],
        "grant_types_supported":
            ["authorization_code", "client_credentials", "password", "refresh_token", "implicit"],
        "response_types_supported": [
            "code", "token", "id_token", "id_token token", "code id_token", "code token",
            "code id_token token",
        ],
        "response_modes_supported": ["form_post", "query", "fragment"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}
