//! The blocking face, from threads without a runtime.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "manager/server.rs"]
#[allow(dead_code, reason = "the manager's tests use the rest")]
mod server;

use std::{thread, time::Duration};

use oauth_core::{
    AccessToken, ErrorKind, RefreshToken, TokenSet, blocking::TokenManager, clock::Clock,
    store::Subject,
};
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

#[test]
fn what_is_registered_is_handed_out_and_a_shutdown_waits_for_its_renewal() {
    let server = Server::stepped();
    let tokens = TokenManager::new(server.client()).unwrap();
    let user = Subject::user("user");
    let now = server.clock.now();
    let login = TokenSet::new(AccessToken::new("access-0").unwrap(), now)
        .with_expires_at(Some(now + Duration::from_secs(3600)))
        .with_refresh_token(Some(RefreshToken::new("refresh-0").unwrap()));
    tokens.register(&user, login).unwrap();
    let first = tokens.get(&user, None).unwrap();
    assert_eq!(first.expose_secret(), "access-0");

    server.hold();
    let renewing = {
        let (tokens, user) = (tokens.clone(), user.clone());
        thread::spawn(move || tokens.renew(&user, None, &first))
    };
    let came = async {
        server.until(1).await;
        Ok(())
    };
    tokens.wait(came).unwrap();
    assert_eq!(tokens.shutdown(Duration::ZERO).unwrap(), 1, "under way");
    server.go();
    assert_eq!(tokens.shutdown(Duration::from_secs(60)).unwrap(), 0);
    let renewed = renewing.join().unwrap().unwrap();
    assert_eq!(renewed.expose_secret(), "access-1");
}
