//! The suite of every token store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use oauth_core::store::{StoreError, TokenStore, suite};
use oauth_store::{Plaintext, postgres::Postgres};
use test_servers::PostgresServer;

/// Each store has a schema of its own.
#[derive(Debug)]
struct Schemas {
    server: PostgresServer,
    made: AtomicU32,
}

#[async_trait]
impl suite::Harness for Schemas {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        let schema = format!("store_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.server.sql(&format!("CREATE SCHEMA {schema}")).unwrap();
        let url = format!("{}?options=-csearch_path%3D{schema}", self.server.url());
        Ok(Arc::new(Plaintext::new(Postgres::open(&url).await?)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    let server = super::server();
    let made = AtomicU32::new(0);
    suite::run(Arc::new(Schemas { server, made })).await;
}
