//! `/oauth/connect/…`: token, revocation, introspection, userinfo.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oauth_server::{ErrorCode, OAuthError, TokenResponse};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::MinistryPlatform;
use crate::authority::form;
use crate::params::{Params, authorization, basic};
use crate::reply;

impl MinistryPlatform {
    pub(super) async fn token(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let attempts = attempts(request);
        let mut refused = OAuthError::new(ErrorCode::InvalidClient, "");
        for asked in attempts {
            match self.authority.token(asked).await {
                Ok(granted) => return success(&granted),
                Err(error) => refused = error,
            }
            if refused.code() != ErrorCode::InvalidClient {
                break;
            }
        }
        refusal(&refused)
    }

    pub(super) async fn revocation(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut answer = refusal(&OAuthError::new(ErrorCode::InvalidClient, ""));
        for asked in attempts(request) {
            match self.authority.server.revoke(&form("/revoke", &asked)).await {
                Ok(()) => return reply::empty(StatusCode::OK),
                Err(error) => answer = refusal(&error),
            }
        }
        answer
    }

    pub(super) async fn introspect(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut answer = refusal(&OAuthError::new(ErrorCode::InvalidClient, ""));
        for asked in attempts(request) {
            let asked = form("/introspect", &asked);
            match self.authority.server.introspect(&asked).await {
                Ok(told) => {
                    let told = serde_json::to_value(told).unwrap_or_default();
                    return reply::json(StatusCode::OK, &told);
                }
                Err(error) => answer = refusal(&error),
            }
        }
        answer
    }

    pub(super) async fn userinfo(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let Some(token) = authorization(request, "Bearer").filter(|token| !token.is_empty()) else {
            return reply::bearer_challenge(None, None);
        };
        let Ok(record) = self.authority.access_token(token).await else {
            return reply::empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let Some(record) = record else {
            let body = json!({"error": "invalid_token"});
            return reply::bearer_challenge(Some(&body), Some("invalid_token"));
        };
        let openid = record.scope().contains("openid");
        let Some(subject) = record.subject().filter(|_| openid) else {
            let body = json!({"error": "insufficient_scope"});
            let mut refused = reply::bearer_challenge(Some(&body), Some("insufficient_scope"));
            *refused.status_mut() = StatusCode::FORBIDDEN;
            return refused;
        };
        let mut body = json!({"sub": subject, "name": self.authority.username(subject)});
        if subject == super::USER_GUID {
            body["given_name"] = "John".into();
            body["family_name"] = "Doe".into();
            body["email"] = "john@example.com".into();
        }
        reply::json(StatusCode::OK, &body)
    }
}

/// The request as the server is asked, once for each way its Basic header can be read: raw, as
/// many clients write it, or form-encoded (RFC 6749 §2.3.1).
fn attempts(request: &Request<Bytes>) -> Vec<Params> {
    let params = Params::body(request);
    if authorization(request, "Basic").is_none() {
        return vec![params];
    }
    let Some((id, secret)) = basic(request) else {
        return Vec::new();
    };
    let with = |id: &str, secret: &str| {
        params
            .clone()
            .set("client_id", id)
            .set("client_secret", secret)
    };
    let mut attempts = vec![with(&id, &secret)];
    if let (Some(decoded_id), Some(decoded_secret)) = (form_decoded(&id), form_decoded(&secret))
        && (&decoded_id, &decoded_secret) != (&id, &secret)
    {
        attempts.push(with(&decoded_id, &decoded_secret));
    }
    attempts
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// No scope is said, and a refresh token is for those who asked for `offline_access`.
fn success(granted: &TokenResponse) -> Response<Bytes> {
    let mut body = json!({
        "access_token": granted.access_token(),
        "expires_in": granted.expires_in(),
        "token_type": "Bearer",
    });
    if let Some(refresh_token) = granted.refresh_token()
        && granted.scope().contains("offline_access")
    {
        body["refresh_token"] = refresh_token.into();
    }
    reply::json(StatusCode::OK, &body)
}

/// IdentityServer answers 400, also where RFC 6749 §5.2 has 401.
fn refusal(error: &OAuthError) -> Response<Bytes> {
    let status = match error.code() {
        ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => error.status(),
        _ => StatusCode::BAD_REQUEST,
    };
    reply::json(status, &json!({"error": error.error()}))
}
