//! A transport that records what a client sends to a server that keeps no record itself.

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{Limits, Transport, TransportError};

use super::Trace;
use crate::WatchedTransport;

/// Records what goes through `inner`, in the trace of the case it was made in.
#[derive(Debug)]
pub(crate) struct Recorded {
    inner: WatchedTransport,
    trace: Trace,
}

impl Recorded {
    pub(crate) fn new(inner: WatchedTransport) -> Self {
        Self {
            inner,
            trace: Trace::fork(),
        }
    }
}

#[async_trait]
impl Transport for Recorded {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let authority = request.uri().authority().map(ToString::to_string);
        let authority = authority.unwrap_or_default();
        if self.trace.is_scripted(&authority) {
            return self.inner.send(request, limits).await;
        }
        let trace = self.trace.sibling();
        let uri = request.uri();
        let first = format!(
            "{} {} HTTP/1.1\nhost: {authority}\n",
            request.method(),
            uri.path_and_query().map_or("/", |path| path.as_str()),
        );
        trace.sent(&message(first, request.headers(), request.body()));
        let answer = self.inner.send(request, limits).await;
        match &answer {
            Ok(answer) => {
                let first = format!("{:?} {}\n", answer.version(), answer.status());
                trace.received(&message(first, answer.headers(), answer.body()));
            }
            Err(error) => trace.received(format!("({error})").as_bytes()),
        }
        answer
    }
}

fn message(first: String, headers: &http::HeaderMap, body: &Bytes) -> Vec<u8> {
    let mut bytes = first.into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes
}
