use std::sync::Arc;

use azure_core::{
    Error,
    credentials::{Secret, TokenCredential},
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport, Url, new_http_client},
};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use http::HeaderValue;

use super::{Library, bearer};
use crate::endpoint::Endpoint;

pub struct Azure(Arc<ClientSecretCredential>);

impl Azure {
    /// For a measurement that asks for other scopes than [`Library::header`].
    pub async fn header_for(&self, scope: &str) -> Result<HeaderValue, Error> {
        let token = self.0.get_token(&[scope], None).await?;
        Ok(bearer(token.token.secret()))
    }
}

impl Library for Azure {
    const NAME: &'static str = "azure_identity get_token";
    type Header = HeaderValue;
    type Error = Error;

    async fn new(endpoint: &Endpoint) -> Self {
        let here = Here {
            url: endpoint.token_url().parse().expect("a URL"),
            client: new_http_client(None),
        };
        let options = ClientSecretCredentialOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(Arc::new(here))),
                ..ClientOptions::default()
            },
        };
        let secret = Secret::new("secret");
        Self(
            ClientSecretCredential::new("tenant", "client".to_owned(), secret, Some(options))
                .expect("a credential"),
        )
    }

    fn header(&self) -> impl Future<Output = Result<HeaderValue, Error>> + Send {
        self.header_for("read")
    }
}

/// It insists on HTTPS; this sends its requests, with its own client, to our endpoint.
#[derive(Debug)]
struct Here {
    url: Url,
    client: Arc<dyn HttpClient>,
}

#[async_trait::async_trait]
impl HttpClient for Here {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        *request.url_mut() = self.url.clone();
        self.client.execute_request(&request).await
    }
}
