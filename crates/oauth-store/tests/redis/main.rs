//! Token stores on a real Redis server.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../parts/rotation.rs"]
mod rotation;
mod settings;
mod suite;
mod trouble;

use std::time::{Duration, SystemTime};

use oauth_core::{
    AccessToken, RefreshToken, TokenSet,
    store::{Owner, Record, Subject, TokenRequest},
};
use oauth_store::redis::RedisBuilder;
use test_servers::RedisServer;

/// Long enough for a busy machine, short enough to wait for.
const LIMIT: Duration = Duration::from_secs(2);

fn server() -> RedisServer {
    RedisServer::start().expect("a Redis server")
}

fn builder(url: &str) -> RedisBuilder {
    oauth_store::redis::Redis::builder(url).time_limit(LIMIT)
}

fn owner(user: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(user))
}

fn record(access: &str) -> Record {
    let token = TokenSet::new(AccessToken::new(access).unwrap(), SystemTime::UNIX_EPOCH)
        .with_refresh_token(Some(RefreshToken::new("refresh-secret").unwrap()));
    Record::new().with(TokenRequest::any(), token)
}
