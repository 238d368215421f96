use google_cloud_auth::{
    credentials::{CacheableResource, Credentials, EntityTag, user_account::Builder},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::json;

use super::Library;
use crate::endpoint::Endpoint;

/// As a caller that keeps nothing.
pub struct Google(Credentials);

impl Library for Google {
    const NAME: &'static str = "google-cloud-auth headers";
    type Header = HeaderMap;
    type Error = CredentialsError;

    async fn new(endpoint: &Endpoint) -> Self {
        Self(credentials(endpoint))
    }

    async fn header(&self) -> Result<HeaderMap, CredentialsError> {
        match self.0.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => unreachable!("no tag was sent"),
        }
    }
}

/// As a caller that keeps the header and shows its entity tag: the fastest way it offers.
pub struct GoogleTagged {
    credentials: Credentials,
    kept: (EntityTag, HeaderValue),
}

impl Library for GoogleTagged {
    const NAME: &'static str = "google-cloud-auth headers, entity tag";
    type Header = HeaderValue;
    type Error = CredentialsError;

    async fn new(endpoint: &Endpoint) -> Self {
        let credentials = credentials(endpoint);
        let answer = credentials
            .headers(Extensions::new())
            .await
            .expect("a token");
        let CacheableResource::New { entity_tag, data } = answer else {
            unreachable!("no tag was sent");
        };
        let kept = (entity_tag, data[AUTHORIZATION].clone());
        Self { credentials, kept }
    }

    async fn header(&self) -> Result<HeaderValue, CredentialsError> {
        let mut extensions = Extensions::new();
        extensions.insert(self.kept.0.clone());
        Ok(match self.credentials.headers(extensions).await? {
            CacheableResource::NotModified => self.kept.1.clone(),
            CacheableResource::New { data, .. } => data[AUTHORIZATION].clone(),
        })
    }
}

fn credentials(endpoint: &Endpoint) -> Credentials {
    let user = json!({
        "type": "authorized_user", "client_id": "client", "client_secret": "secret",
        "refresh_token": "refresh",
    });
    Builder::new(user)
        .with_token_uri(endpoint.token_url())
        .build()
        .expect("credentials")
}
