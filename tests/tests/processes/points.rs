//! The points at which a process can be killed, and what stops it there.

use std::{
    io::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    Limits, ReqwestTransport, Transport, TransportError,
    store::{Lease, Owner, Record, StoreError, Stored, TokenStore, Version},
};
use tokio::sync::Semaphore;

/// What a process says when it finds the lease taken.
pub(crate) const WAITS: &str = "waits";

/// A step on the way to a new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The token request is about to be sent.
    Request,
    /// The answer has arrived.
    Answer,
    /// It is about to be saved.
    Save,
    /// It is saved, but not yet shown to anybody.
    Saved,
}

impl Point {
    pub(crate) const ALL: [Self; 4] = [Self::Request, Self::Answer, Self::Save, Self::Saved];

    /// What a process says when it comes there.
    pub(crate) fn line(self) -> String {
        format!("at {self:?}")
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|point| format!("{point:?}") == name)
    }
}

/// Says where the process is, and holds it at one point until it may go on; then never again.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) stop_at: Option<Point>,
    pub(crate) go: Arc<Semaphore>,
}

impl Gate {
    async fn pass(&self, point: Point) {
        say(&point.line());
        if self.stop_at == Some(point) {
            // Given back when it is dropped: the next one passes.
            drop(self.go.acquire().await.unwrap());
        }
    }
}

/// Tells the parent, which reads what stands behind the mark.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone need not be told.
    let _ = writeln!(out, "> {line}").and_then(|()| out.flush());
}

#[derive(Debug)]
pub(crate) struct GatedTransport {
    pub(crate) gate: Gate,
    pub(crate) transport: ReqwestTransport,
}

#[async_trait]
impl Transport for GatedTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.gate.pass(Point::Request).await;
        let answer = self.transport.send(request, limits).await;
        self.gate.pass(Point::Answer).await;
        answer
    }
}

#[derive(Debug)]
pub(crate) struct GatedStore {
    pub(crate) gate: Gate,
    pub(crate) store: Arc<dyn TokenStore>,
}

#[async_trait]
impl TokenStore for GatedStore {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        self.store.load(owner).await
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        self.gate.pass(Point::Save).await;
        let saved = self.store.save(owner, record, replaces, lease).await;
        match &saved {
            Ok(_) => self.gate.pass(Point::Saved).await,
            Err(error) => say(&format!("refused {:?}", error.kind())),
        }
        saved
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.store.remove(owner).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.store.clear().await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let lease = self.store.lease(name, ttl).await;
        if matches!(lease, Ok(None)) {
            say(WAITS);
        }
        lease
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.store.release(lease).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.store.due(before, limit).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(before, limit).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.store.owners(after, limit).await
    }
}
