//! Authorized requests, 32 at a time over kept-alive connections, beside plain ones.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use http::{Extensions, HeaderValue, header::AUTHORIZATION};
use oauth_core::{manager::TokenManager, middleware::Authorize, store::Subject};
use reqwest::{Client, Request, RequestBuilder, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next, Result};

use crate::{
    contest::{Contestant, Effort, interleave},
    endpoint::Endpoint,
    floors::Floor,
    libraries::{Attach, Google, Huskarl, Library, Ours, Yup, bearer, client},
    throughput::{contestant, runtime},
};

pub fn run(effort: Effort) {
    let endpoint = Endpoint::start();
    // Rounds lie a factor of two apart, whoever's they are: only many of them tell anything.
    let requests = 4_000;
    let contestants = vec![
        plain(&endpoint, requests),
        with::<Floor>("reqwest, header clone", &endpoint, requests),
        with_middleware(
            "reqwest-middleware, header clone",
            &endpoint,
            requests,
            Cloned,
        ),
        through_middleware(&endpoint, requests),
        with::<Ours>("oauth-core handle header, reqwest", &endpoint, requests),
        with::<Huskarl>("reqwest, huskarl headers", &endpoint, requests),
        with::<Google>("reqwest, google-cloud-auth headers", &endpoint, requests),
        with::<Yup>("reqwest, yup-oauth2 token", &endpoint, requests),
    ];
    let figures = [("authorized requests, 32 at a time", "k/s")];
    interleave(&figures, effort.pick(128, 5), contestants);
}

fn plain(endpoint: &Endpoint, requests: usize) -> Contestant {
    let (client, url) = (Client::new(), endpoint.resource_url());
    contestant("plain reqwest", runtime(), requests, move || {
        finish(client.get(&url))
    })
}

/// What any middleware costs that attaches a header.
struct Cloned;

#[async_trait]
impl Middleware for Cloned {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        static HEADER: LazyLock<HeaderValue> = LazyLock::new(|| bearer(&"t".repeat(30)));
        request.headers_mut().insert(AUTHORIZATION, HEADER.clone());
        next.run(request, extensions).await
    }
}

/// The token comes from the endpoint that the requests go to.
fn through_middleware(endpoint: &Endpoint, requests: usize) -> Contestant {
    let token = TokenManager::new(client(endpoint)).source(&Subject::Client, None);
    let authorize = Authorize::new(token, [endpoint.resource_url()]).expect("an origin");
    with_middleware("oauth-core middleware", endpoint, requests, authorize)
}

fn with_middleware(
    who: &'static str,
    endpoint: &Endpoint,
    requests: usize,
    middleware: impl Middleware,
) -> Contestant {
    let api = ClientBuilder::new(Client::new()).with(middleware).build();
    let url = endpoint.resource_url();
    contestant(who, runtime(), requests, move || {
        let request = api.get(&url);
        async move {
            let response = request.send().await.expect("an answer");
            response.bytes().await.expect("a body");
        }
    })
}

fn with<L: Library>(who: &'static str, endpoint: &Endpoint, requests: usize) -> Contestant {
    let (client, url) = (Client::new(), endpoint.resource_url());
    let runtime = runtime();
    let library = Arc::new(runtime.block_on(L::new(endpoint)));
    contestant(who, runtime, requests, move || {
        let (library, request) = (Arc::clone(&library), client.get(&url));
        async move {
            let header = library.header().await.expect("a token");
            finish(header.attach(request)).await
        }
    })
}

async fn finish(request: RequestBuilder) {
    let response = request.send().await.expect("an answer");
    response.bytes().await.expect("a body");
}
