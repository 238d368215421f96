use std::{
    convert::Infallible,
    future::{Ready, ready},
    iter::{Once, once},
    net::SocketAddr,
    task::{Context, Poll},
};

use http::HeaderValue;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use tower_service::Service;
use yup_oauth2::{
    AuthorizedUserAuthenticator, CustomHyperClientBuilder, Error, authenticator::Authenticator,
    authorized_user::AuthorizedUserSecret,
};

use super::{Library, bearer};
use crate::endpoint::Endpoint;

/// With a user's refresh token: a service account would sign each request, which costs more.
pub struct Yup(Authenticator<HttpConnector<Here>>);

impl Library for Yup {
    const NAME: &'static str = "yup-oauth2 token";
    type Header = HeaderValue;
    type Error = Error;

    async fn new(endpoint: &Endpoint) -> Self {
        let secret = AuthorizedUserSecret {
            client_id: "client".to_owned(),
            client_secret: "secret".to_owned(),
            refresh_token: "refresh".to_owned(),
            key_type: "authorized_user".to_owned(),
        };
        let mut connector = HttpConnector::new_with_resolver(Here(endpoint.address()));
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let client = CustomHyperClientBuilder::from(client);
        let built = AuthorizedUserAuthenticator::with_client(secret, client).build();
        Self(built.await.expect("an authenticator"))
    }

    async fn header(&self) -> Result<HeaderValue, Error> {
        let token = self.0.token(&["read"]).await?;
        Ok(bearer(token.token().expect("an access token")))
    }
}

/// Its token endpoint is fixed; this finds ours under every name, without TLS.
#[derive(Clone)]
pub(super) struct Here(SocketAddr);

impl Service<Name> for Here {
    type Response = Once<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(once(self.0)))
    }
}
