use http::{HeaderMap, Method, Uri};
use huskarl::{
    authorizer::HttpAuthorizer,
    cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache, TokenError},
    core::{
        EndpointUrl,
        client_auth::ClientSecret,
        secrets::{ProvidedSecret, SecretString},
    },
    grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters},
};
use huskarl_reqwest::ReqwestClient;

use super::Library;
use crate::endpoint::Endpoint;

pub struct Huskarl {
    authorizer: HttpAuthorizer,
    uri: Uri,
}

impl Library for Huskarl {
    const NAME: &'static str = "huskarl get_headers";
    type Header = HeaderMap;
    type Error = TokenError;

    async fn new(endpoint: &Endpoint) -> Self {
        let url: EndpointUrl = endpoint.token_url().parse().expect("a URL");
        let secret = ProvidedSecret::new(SecretString::new("secret"));
        let grant = ClientCredentialsGrant::builder()
            .client_id("client")
            .client_auth(ClientSecret::new(secret))
            .http_client(ReqwestClient::from(reqwest::Client::new()))
            .token_endpoint(url)
            .build();
        let source = GrantTokenSource::builder()
            .grant(grant)
            .grant_parameters(
                ClientCredentialsGrantParameters::builder()
                    .scope(vec!["read".to_owned()])
                    .build(),
            )
            .refresh_store(InMemoryRefreshTokenStore::default())
            .build();
        let cache = InMemoryTokenCache::builder().source(source).build();
        Self {
            authorizer: HttpAuthorizer::builder().cache(cache).build(),
            uri: endpoint.resource_url().parse().expect("a URL"),
        }
    }

    fn header(&self) -> impl Future<Output = Result<HeaderMap, TokenError>> + Send {
        self.authorizer.get_headers(&Method::GET, &self.uri)
    }
}
