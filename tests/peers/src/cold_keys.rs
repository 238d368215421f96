//! 1,000 keys without a token, asked for at once, and an endpoint that takes 10 ms: who waits on
//! whom?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oauth_core::{
    Client, Error, TokenSet,
    grant::ClientCredentials,
    manager::{self, TokenManager, TokenSource},
    store::{Subject, TokenRequest},
};
use tokio::{runtime, task::JoinSet};

use crate::{
    contest::{Contestant, Effort, interleave_cold},
    endpoint::Endpoint,
    keyed::user_id,
    libraries::{Azure, Library, client},
};

const KEYS: usize = 1_000;
const DELAY: Duration = Duration::from_millis(10);

pub fn run(effort: Effort) {
    let figures = [
        ("1,000 cold keys, token requests", "requests"),
        ("1,000 cold keys, open at once", "requests"),
        ("1,000 cold keys, until all are served", "ms"),
    ];
    let mut contestants = vec![users(), scopes()];
    if !effort.quick {
        // One after the other: a round takes 12 s.
        contestants.push(azure().at_most(1));
    }
    interleave_cold(&figures, effort.pick(5, 2), contestants);
}

/// A user each, whose first token comes from a source of the program's own.
fn users() -> Contestant {
    Contestant::new("oauth-core get, a user each", || {
        cold(async |endpoint, callers| {
            let tokens = TokenManager::builder(client(endpoint)).source(ForUsers);
            let tokens = tokens.build();
            for key in 0..KEYS {
                let tokens = tokens.clone();
                callers.spawn(async move {
                    let subject = Subject::user(user_id(key));
                    tokens.get(&subject, None).await.expect("a token");
                });
            }
        })
    })
}

#[derive(Debug)]
struct ForUsers;

#[async_trait]
impl TokenSource for ForUsers {
    async fn token(
        &self,
        client: &Client,
        _: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, Error> {
        manager::exchange(client, &ClientCredentials::new(), request)
            .await
            .map(Some)
    }
}

/// The client itself, with a scope each.
fn scopes() -> Contestant {
    Contestant::new("oauth-core get, a scope each", || {
        cold(async |endpoint, callers| {
            let tokens = TokenManager::new(client(endpoint));
            for key in 0..KEYS {
                let tokens = tokens.clone();
                callers.spawn(async move {
                    let scopes = format!("scope{key}").parse().expect("a scope");
                    let token = tokens.get(&Subject::Client, Some(&scopes)).await;
                    token.expect("a token");
                });
            }
        })
    })
}

fn azure() -> Contestant {
    Contestant::new("azure_identity get_token, a scope each", || {
        cold(async |endpoint, callers| {
            let library = Arc::new(Azure::new(endpoint).await);
            for key in 0..KEYS {
                let library = Arc::clone(&library);
                callers.spawn(async move {
                    let header = library.header_for(&format!("scope{key}")).await;
                    header.expect("a token");
                });
            }
        })
    })
}

/// Runs what `spawn` starts; the time counts from its first caller.
fn cold(spawn: impl AsyncFnOnce(&Endpoint, &mut JoinSet<()>)) -> Vec<f64> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let endpoint = Endpoint::start();
    endpoint.take(DELAY);
    let taken = runtime.block_on(async {
        let mut callers = JoinSet::new();
        let started = Instant::now();
        spawn(&endpoint, &mut callers).await;
        callers.join_all().await;
        started.elapsed()
    });
    runtime.shutdown_background();
    vec![
        endpoint.requests() as f64,
        endpoint.peak() as f64,
        taken.as_secs_f64() * 1e3,
    ]
}
