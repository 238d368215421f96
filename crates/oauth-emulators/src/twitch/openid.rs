//! Discovery, keys and userinfo. Discovery names neither device nor revoke nor validate, as
//! Twitch's does not. No ID token is issued, so there is no key.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Refusal, Twitch};
use crate::clock::epoch_seconds;
use crate::params::authorization;
use crate::reply;

impl Twitch {
    pub(super) fn discovery(&self) -> Response<Bytes> {
        let mut document = document();
        let issuer = format!("{}/oauth2", self.base_url);
        for (member, path) in [
            ("authorization_endpoint", "/authorize"),
            ("issuer", ""),
            ("jwks_uri", "/keys"),
            ("token_endpoint", "/token"),
            ("userinfo_endpoint", "/userinfo"),
        ] {
            document[member] = format!("{issuer}{path}").into();
        }
        reply::json(StatusCode::OK, &document)
    }

    pub(super) async fn userinfo(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let unauthorized = |message| Refusal::new(StatusCode::UNAUTHORIZED, message);
        let token = authorization(request, "Bearer")
            .filter(|token| !token.is_empty())
            .ok_or(unauthorized("missing authorization token"))?;
        let record = self.authority.access_token(token).await?;
        let record = record.ok_or(unauthorized("invalid access token"))?;
        let user_id = record
            .subject()
            .ok_or(unauthorized("invalid access token"))?;
        let body = json!({
            "aud": record.client_id(),
            "azp": record.client_id(),
            "exp": epoch_seconds(record.expires_at),
            "iat": epoch_seconds(record.issued_at),
            "iss": format!("{}/oauth2", self.base_url),
            "sub": user_id,
            "preferred_username": self.authority.username(user_id),
        });
        Ok(reply::json(StatusCode::OK, &body))
    }
}

pub(super) fn keys() -> Response<Bytes> {
    reply::json(StatusCode::OK, &json!({"keys": []}))
}

fn document() -> Value {
    json!({
        "claims_parameter_supported": true,
        "claims_supported": [
            "email", "email_verified", "picture", "preferred_username", "exp", "iss", "sub",
            "azp", "aud", "iat", "updated_at",
        ],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["id_token", "code", "token", "code id_token", "token id_token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    })
}
