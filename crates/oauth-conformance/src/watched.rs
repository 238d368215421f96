//! The transport of a run's clients: that of reqwest, with an eye on the secrets that pass.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, header};
use oauth_core::{Limits, ReqwestTransport, Transport, TransportError};

use crate::Secrets;

/// What sends the requests of a run's clients. It keeps the secrets that pass, so that they can be
/// looked for in whatever the run says.
#[derive(Debug, Clone)]
pub struct WatchedTransport {
    inner: ReqwestTransport,
    secrets: Secrets,
}

impl WatchedTransport {
    /// Watches what `inner` sends and receives.
    #[must_use]
    pub fn new(inner: ReqwestTransport, secrets: Secrets) -> Self {
        Self { inner, secrets }
    }

    fn watch(&self, headers: &HeaderMap, body: &[u8]) {
        let values = headers.get_all(header::AUTHORIZATION).iter();
        for value in values.filter_map(|value| value.to_str().ok()) {
            self.secrets.add_authorization(value);
        }
        self.secrets.add_body(body);
    }
}

#[async_trait]
impl Transport for WatchedTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.watch(request.headers(), request.body());
        let response = self.inner.send(request, limits).await?;
        self.watch(response.headers(), response.body());
        Ok(response)
    }
}
