//! The suite of every token store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use oauth_core::store::{StoreError, TokenStore, suite};
use oauth_store::{Plaintext, redis::Redis};
use test_servers::RedisServer;

/// Each store has a prefix of its own, the beginning of the next ones' too.
#[derive(Debug)]
struct Prefixes {
    server: RedisServer,
    made: AtomicU32,
}

#[async_trait]
impl suite::Harness for Prefixes {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let builder = Redis::builder(&self.server.url()).prefix("a".repeat(made as usize + 1));
        Ok(Arc::new(Plaintext::new(builder.open().await?)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    let server = super::server();
    let made = AtomicU32::new(0);
    suite::run(Arc::new(Prefixes { server, made })).await;
}
