use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use gcp_auth::{CustomServiceAccount, Error, TokenProvider};
use http::HeaderValue;
use serde_json::json;

use super::{Library, bearer};
use crate::endpoint::Endpoint;

pub struct Gcp(CustomServiceAccount);

impl Library for Gcp {
    const NAME: &'static str = "gcp_auth token";
    type Header = HeaderValue;
    type Error = Error;

    async fn new(endpoint: &Endpoint) -> Self {
        let account = json!({
            "type": "service_account", "project_id": "project", "client_email": "a@example.com",
            "private_key": private_key(), "token_uri": endpoint.token_url(),
        });
        Self(CustomServiceAccount::from_json(&account.to_string()).expect("an account"))
    }

    async fn header(&self) -> Result<HeaderValue, Error> {
        let token = self.0.token(&["read"]).await?;
        Ok(bearer(token.as_str()))
    }
}

/// A service account signs with RSA; a key of its own for each run.
fn private_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der<'_> = key.as_der().expect("PKCS #8");
        let text = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    })
}
