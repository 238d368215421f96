//! Records as a store would read them.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth_server::{
    AccessTokenRecord, AuthorizationCodeRecord, DeviceCodeRecord, GrantId, PushedRequestRecord,
    RefreshTokenRecord, TokenHash,
};
use serde_json::{Value, json};

/// The end of every record here.
pub(crate) fn end() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// One for each name, which is at most 18 bytes long.
pub(crate) fn grant_id(name: &str) -> GrantId {
    let id = BASE64_URL_SAFE_NO_PAD.encode(format!("{name:18}"));
    id.try_into().unwrap()
}

fn grant(id: &str, client: &str, subject: &str) -> Value {
    json!({
        "id": grant_id(id), "client_id": client, "subject": subject, "scope": "read",
        "audience": ["https://api.example"], "auth_time": end() - Duration::from_secs(20),
    })
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn access(name: &str, grant_id: &str, client: &str, subject: &str) -> AccessTokenRecord {
    read(json!({
        "hash": TokenHash::of(name), "grant": grant(grant_id, client, subject),
        "issued_at": end() - Duration::from_secs(10), "expires_at": end(), "jkt": "a thumbprint",
    }))
}

pub(crate) fn refresh(
    name: &str,
    grant_id: &str,
    client: &str,
    subject: &str,
) -> RefreshTokenRecord {
    read(json!({
        "hash": TokenHash::of(name), "grant": grant(grant_id, client, subject),
        "issued_at": end() - Duration::from_secs(10), "expires_at": end(),
        "grant_expires_at": end(), "consumed": false, "jkt": "a thumbprint",
    }))
}

pub(crate) fn code(name: &str) -> AuthorizationCodeRecord {
    read(json!({
        "hash": TokenHash::of(name), "grant": grant("grant", "app", "person-1"),
        "redirect_uri": "https://app.example/cb", "redirect_uri_given": false,
        "code_challenge": null, "expires_at": end(), "consumed": false,
        "nonce": "a nonce", "dpop_jkt": "a thumbprint",
    }))
}

pub(crate) fn device(name: &str, user_code: &str) -> DeviceCodeRecord {
    read(json!({
        "hash": TokenHash::of(name), "user_code_hash": TokenHash::of(user_code),
        "grant": grant(name, "app", "person-1"), "status": "pending",
        "interval": Duration::ZERO, "polled_at": null, "expires_at": end(),
    }))
}

pub(crate) fn pushed(name: &str) -> PushedRequestRecord {
    read(json!({
        "hash": TokenHash::of(name), "client_id": "app",
        "parameters": [["state", "a'b\"c\u{e4}"]], "expires_at": end(), "consumed": false,
    }))
}
