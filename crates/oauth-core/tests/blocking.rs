//! The blocking face, from threads without a runtime.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "manager/server.rs"]
#[allow(dead_code, reason = "the manager's tests use the rest")]
mod server;

use std::thread;

use oauth_core::{ErrorKind, blocking::TokenManager, store::Subject};
use server::Server;

#[test]
fn threads_share_one_request() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client()).unwrap();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let tokens = tokens.clone();
            thread::spawn(move || tokens.get(&Subject::Client, None).unwrap())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().expose_secret(), "access-1");
    }
    assert_eq!(server.count(), 1);
    let first = tokens.get(&Subject::Client, None).unwrap();
    let second = tokens.renew(&Subject::Client, None, &first).unwrap();
    assert_eq!(second.expose_secret(), "access-2");
}

#[tokio::test]
async fn inside_a_runtime_it_is_an_error_and_not_a_panic() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client()).unwrap();
    let error = tokens.get(&Subject::Client, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    drop(tokens);
}
