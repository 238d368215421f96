//! Token stores on a real PostgreSQL server.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../parts/rotation.rs"]
mod rotation;
mod schema;
mod suite;
mod trouble;

use std::time::{Duration, SystemTime};

use oauth_core::{
    AccessToken, RefreshToken, TokenSet,
    store::{Owner, Record, Subject, TokenRequest},
};
use oauth_store::postgres::PostgresBuilder;
use test_servers::PostgresServer;

/// Long enough for a busy machine, short enough to wait for.
const LIMIT: Duration = Duration::from_secs(2);

fn server() -> PostgresServer {
    PostgresServer::start().expect("a PostgreSQL server")
}

fn builder(url: &str) -> PostgresBuilder {
    oauth_store::postgres::Postgres::builder(url).time_limit(LIMIT)
}

fn owner(user: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(user))
}

fn record(access: &str) -> Record {
    let token = TokenSet::new(AccessToken::new(access).unwrap(), SystemTime::UNIX_EPOCH)
        .with_refresh_token(Some(RefreshToken::new("refresh-secret").unwrap()));
    Record::new().with(TokenRequest::any(), token)
}
