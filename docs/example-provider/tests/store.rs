//! The cases for token stores on one in memory: one test for each case.

use std::{process::ExitCode, sync::Arc, time::Duration};

use oauth_conformance::harness;
use oauth_core::{
    clock::ManualClock,
    store::{MemoryStore, StoreError, TokenStore, suite},
};

#[derive(Debug)]
struct Ours {
    clock: ManualClock,
}

#[async_trait::async_trait]
impl suite::Harness for Ours {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        let clock = Arc::new(self.clock.clone());
        Ok(Arc::new(MemoryStore::with_clock(clock)))
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

fn main() -> ExitCode {
    harness::store(Ours {
        clock: ManualClock::at(std::time::SystemTime::UNIX_EPOCH),
    })
}
