//! One suite that every implementation of the contexts passes: memory, SQLite, PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole crate is tests; clippy sees that only of functions marked so"
)]

use std::sync::Arc;

use oauth_server::{
    SecretCost,
    memory::{
        MemoryAccessTokens, MemoryAuthorizationCodes, MemoryClients, MemoryDeviceCodes,
        MemoryJwtIds, MemoryPushedRequests, MemoryResourceOwners, MemoryScopes,
    },
};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod nodes;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_server;
mod records;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;

use suite::Contexts;

/// How often each race is run, with how many at once.
const TRIALS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    let owners = MemoryResourceOwners::new(SecretCost::LOW).unwrap();
    owners.insert("ada", "person-1", "her pass phrase").unwrap();
    owners.insert("bob", "person-2", "his pass phrase").unwrap();
    for subject in ["person-1", "person-2"] {
        owners.set_claims(subject, suite::claims());
    }
    owners.remove("bob");
    let contexts = Contexts {
        clients: Arc::new(MemoryClients::from_iter(suite::clients())),
        tokens: Arc::new(MemoryAccessTokens::new()),
        codes: Arc::new(MemoryAuthorizationCodes::new()),
        devices: Arc::new(MemoryDeviceCodes::new()),
        pushed: Arc::new(MemoryPushedRequests::new()),
        jwt_ids: Arc::new(MemoryJwtIds::new()),
        owners: Arc::new(owners),
        scopes: Arc::new(MemoryScopes::from_iter(suite::scopes())),
        #[cfg(feature = "pages")]
        sessions: Arc::new(oauth_server::pages::MemorySessions::new()),
    };
    suite::run(&contexts, TRIALS).await;
}

/// The contexts of a store, filled as the suite expects it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
async fn of(store: oauth_server::sql::SqlStore) -> Contexts {
    let store = Arc::new(store.secret_cost(SecretCost::LOW).unwrap());
    for client in suite::clients() {
        store.insert_client(&client).await.unwrap();
    }
    for scope in suite::scopes() {
        store.insert_scope(&scope).await.unwrap();
    }
    for (name, subject, password) in [
        ("ada", "person-1", "her pass phrase"),
        ("bob", "person-2", "his pass phrase"),
    ] {
        let password = password.into();
        let added = store.insert_resource_owner(name, subject, &password);
        added.await.unwrap();
        store.set_claims(subject, &suite::claims()).await.unwrap();
    }
    assert!(store.remove_resource_owner("bob").await.unwrap());
    assert!(!store.remove_resource_owner("bob").await.unwrap());
    assert!(!store.remove_client("nobody").await.unwrap());
    Contexts {
        clients: store.clone(),
        tokens: store.clone(),
        codes: store.clone(),
        devices: store.clone(),
        pushed: store.clone(),
        jwt_ids: store.clone(),
        owners: store.clone(),
        scopes: store.clone(),
        #[cfg(feature = "pages")]
        sessions: store,
    }
}
