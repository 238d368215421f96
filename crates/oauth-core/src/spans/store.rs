//! A store whose calls are spans.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tracing::{Instrument, Span, debug_span};

use crate::store::{Lease, Owner, Record, StoreError, Stored, TokenStore, Version};

pub(super) struct Traced(pub(super) Arc<dyn TokenStore>);

fn span(call: &'static str) -> Span {
    debug_span!("oauth.store", call)
}

#[async_trait]
impl TokenStore for Traced {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        self.0.load(owner).instrument(span("load")).await
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let saving = self.0.save(owner, record, replaces, lease);
        saving.instrument(span("save")).await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.0.remove(owner).instrument(span("remove")).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.0.clear().instrument(span("clear")).await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.0.lease(name, ttl).instrument(span("lease")).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.0.release(lease).instrument(span("release")).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.0.due(before, limit).instrument(span("due")).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(before, limit).instrument(span("purge")).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.0.owners(after, limit).instrument(span("owners")).await
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
