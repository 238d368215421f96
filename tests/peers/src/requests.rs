//! Authorized requests, 32 at a time over kept-alive connections, beside plain ones.

use std::sync::Arc;

use reqwest::{Client, RequestBuilder};

use crate::{
    contest::{Contestant, Effort, interleave},
    endpoint::Endpoint,
    floors::Floor,
    libraries::{Attach, Google, Huskarl, Library, Ours, Yup},
    throughput::{contestant, runtime},
};

pub fn run(effort: Effort) {
    let endpoint = Endpoint::start();
    let requests = effort.pick(16_000, 4_000);
    let contestants = vec![
        plain(&endpoint, requests),
        with::<Floor>("reqwest, header clone", &endpoint, requests),
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
