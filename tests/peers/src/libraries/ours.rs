use http::HeaderValue;
use oauth_core::{
    Client, Endpoints, Error, GenericProvider,
    manager::{TokenHandle, TokenManager},
    store::Subject,
};

use super::Library;
use crate::endpoint::Endpoint;

/// A handle to the client's own token, by client credentials.
pub struct Ours(TokenHandle);

impl Library for Ours {
    const NAME: &'static str = "oauth-core handle header";
    type Header = HeaderValue;
    type Error = Error;

    async fn new(endpoint: &Endpoint) -> Self {
        let scopes = "read".parse().expect("a scope");
        Self(TokenManager::new(client(endpoint)).source(&Subject::Client, Some(&scopes)))
    }

    fn header(&self) -> impl Future<Output = Result<HeaderValue, Error>> + Send {
        self.0.header()
    }
}

/// A client of `endpoint`, as everybody makes one.
pub fn client(endpoint: &Endpoint) -> Client {
    let endpoints = Endpoints::new(&endpoint.token_url()).expect("a URL");
    Client::builder(GenericProvider::new(endpoints), "client")
        .client_secret("secret")
        .build()
        .expect("a client")
}
