//! As a layer of tower.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::Authorize;
use crate::Error;

/// Makes services that attach a token: see [`Authorize`].
///
/// Of a refusal the status and the headers are read, not the body: 401, unless `WWW-Authenticate`
/// names another error than `invalid_token` (RFC 6750 §3).
#[derive(Debug, Clone)]
pub struct AuthorizeLayer(Authorize);

impl AuthorizeLayer {
    /// A layer that does as `authorize` says.
    #[must_use]
    pub fn new(authorize: Authorize) -> Self {
        Self(authorize)
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = AuthorizeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService {
            inner,
            authorize: self.0.clone(),
        }
    }
}

/// A service that attaches a token to every request before its inner service sees it.
#[derive(Debug, Clone)]
pub struct AuthorizeService<S> {
    inner: S,
    authorize: Authorize,
}

/// Either the token or the service failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl<S, B, R> Service<Request<B>> for AuthorizeService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<Failure>,
    S::Future: Send,
    B: Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready serves this request, its clone the next.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(send(self.authorize.clone(), inner, request))
    }
}

async fn send<S, B, R>(
    authorize: Authorize,
    mut inner: S,
    mut request: Request<B>,
) -> Result<Response<R>, Failure>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Failure>,
    B: Clone,
{
    let url = Url::parse(&request.uri().to_string())
        .map_err(|_| Error::usage("a request that is to carry a token needs an absolute URI"))?;
    let Some(token) = authorize.attach(&url, request.headers_mut()).await? else {
        return inner.call(request).await.map_err(Into::into);
    };
    let mut again = request.clone();
    let answer = inner.call(request).await.map_err(Into::into)?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    let renewed = authorize
        .renew(&token, &head(&answer), again.headers_mut())
        .await?;
    let Some(token) = renewed else {
        return Ok(answer);
    };
    std::future::poll_fn(|context| inner.poll_ready(context))
        .await
        .map_err(Into::into)?;
    let answer = inner.call(again).await.map_err(Into::into)?;
    authorize.tried_again(&token, &head(&answer));
    Ok(answer)
}

fn head<R>(answer: &Response<R>) -> Response<Bytes> {
    let mut head = Response::new(Bytes::new());
    *head.status_mut() = answer.status();
    *head.headers_mut() = answer.headers().clone();
    head
}
