//! Authorized requests, 32 at a time over kept-alive connections, beside plain ones.

use std::sync::Arc;

use oauth_core::{manager::TokenManager, middleware::Authorize, store::Subject};
use reqwest::{Client, RequestBuilder};

use crate::{
    contest::{Contestant, Effort, interleave},
    endpoint::Endpoint,
    floors::Floor,
    libraries::{Attach, Google, Huskarl, Library, Ours, Yup, client},
    throughput::{contestant, runtime},
};

pub fn run(effort: Effort) {
    let endpoint = Endpoint::start();
    let requests = effort.pick(16_000, 4_000);
    let contestants = vec![
        plain(&endpoint, requests),
        with::<Floor>("reqwest, header clone", &endpoint, requests),
        through_middleware(&endpoint, requests),
        with::<Ours>("oauth-core handle header, reqwest", &endpoint, requests),
        with::<Huskarl>("reqwest, huskarl headers", &endpoint, requests),
        with::<Google>("reqwest, google-cloud-auth headers", &endpoint, requests),
        with::<Yup>("reqwest, yup-oauth2 token", &endpoint, requests),
    ];
    let figures = [("authorized requests, 32 at a time", "k/s")];
    interleave(&figures, effort.pick(15, 5), contestants);
}

fn plain(endpoint: &Endpoint, requests: usize) -> Contestant {
    let (client, url) = (Client::new(), endpoint.resource_url());
    contestant("plain reqwest", runtime(), requests, move || {
        finish(client.get(&url))
    })
}

/// The token comes from the endpoint that the requests go to.
fn through_middleware(endpoint: &Endpoint, requests: usize) -> Contestant {
    let token = TokenManager::new(client(endpoint)).source(&Subject::Client, None);
    let authorize = Authorize::new(token, [endpoint.resource_url()]).expect("an origin");
    let api = reqwest_middleware::ClientBuilder::new(Client::new())
        .with(authorize)
        .build();
    let url = endpoint.resource_url();
    contestant("oauth-core middleware", runtime(), requests, move || {
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
        async move { finish(library.header().await.attach(request)).await }
    })
}

async fn finish(request: RequestBuilder) {
    let response = request.send().await.expect("an answer");
    response.bytes().await.expect("a body");
}
