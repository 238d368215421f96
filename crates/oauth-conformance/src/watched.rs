//! The transport of a run's clients: that of reqwest, with an eye on the secrets that pass.

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
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
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            self.secrets.add_header(name.as_str(), &value);
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
        self.secrets.add_address(&request.uri().to_string());
        self.watch(request.headers(), request.body());
        let response = self.inner.send(request, limits).await?;
        self.watch(response.headers(), response.body());
        Ok(response)
    }
}
