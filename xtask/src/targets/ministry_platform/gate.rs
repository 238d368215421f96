//! A transport that stops each request until the case lets it go, and notes where it went.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_conformance::Failure;
use oauth_conformance::WatchedTransport;
use oauth_core::{Limits, Transport, TransportError, TransportErrorKind};
use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(super) struct Gate {
    inner: WatchedTransport,
    arrived: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    hosts: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    pub(super) fn closed(inner: WatchedTransport) -> Self {
        Self::with(inner, 0)
    }

    pub(super) fn open(inner: WatchedTransport) -> Self {
        Self::with(inner, Semaphore::MAX_PERMITS)
    }

    fn with(inner: WatchedTransport, permits: usize) -> Self {
        Self {
            inner,
            arrived: Arc::new(Semaphore::new(0)),
            permits: Arc::new(Semaphore::new(permits)),
            hosts: Arc::default(),
        }
    }

    /// Waits until one more request stands before the gate.
    pub(super) async fn arrival(&self) -> Result<(), Failure> {
        let arrived = self.arrived.acquire().await;
        arrived
            .map(tokio::sync::SemaphorePermit::forget)
            .map_err(|_| Failure::new("the gate is gone"))
    }

    /// Lets one request go.
    pub(super) fn pass(&self) {
        self.permits.add_permits(1);
    }

    /// The hosts, with their ports, that requests went to.
    pub(super) fn hosts(&self) -> Vec<String> {
        self.hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Transport for Gate {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let host = request
            .uri()
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(host);
        self.arrived.add_permits(1);
        let permit = self.permits.acquire().await;
        permit
            .map_err(|_| TransportError::new(TransportErrorKind::Connect))?
            .forget();
        self.inner.send(request, limits).await
    }
}
