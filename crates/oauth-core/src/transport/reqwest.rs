//! The transport on reqwest.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header;

use super::{Limits, Transport, TransportError, TransportErrorKind as Kind};
use crate::{EndpointUrl, Error};

/// How long making a connection may take, in our own client.
const CONNECT: Duration = Duration::from_secs(10);

/// The transport on reqwest.
///
/// ```
/// use oauth_core::ReqwestTransport;
///
/// let own = ReqwestTransport::new()?;
/// let with_settings = ReqwestTransport::from_builder(reqwest::Client::builder().user_agent("my-service/1"))?;
/// # Ok::<(), oauth_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A client of our own: no redirects, no proxy, no cookies, connections within 10 s.
    ///
    /// # Errors
    /// A usage error when TLS cannot be set up on this machine.
    pub fn new() -> Result<Self, Error> {
        let agent = concat!("oauth-core/", env!("CARGO_PKG_VERSION"));
        let builder = reqwest::Client::builder()
            .user_agent(agent)
            .no_proxy()
            .connect_timeout(CONNECT);
        // Where another crate switches reqwest's native TLS on, reqwest would prefer that, and
        // OpenSSL takes an answer for whole that was cut off without `close_notify` (RFC 8446 §6.1).
        #[cfg(any(feature = "rustls", feature = "rustls-ring"))]
        let builder = builder.tls_backend_rustls();
        Self::from_builder(builder)
    }

    /// A client with settings of yours (proxy, roots, TLS, user agent); redirects are switched off.
    ///
    /// # Errors
    /// A usage error when the settings cannot be met.
    pub fn from_builder(builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        #[cfg(feature = "rustls-ring")]
        // Fails when the process has chosen one already, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| Error::usage("the HTTP client could not be set up with these settings"))?;
        Ok(Self { client })
    }

    /// A client that you have, built with `redirect(Policy::none())`.
    ///
    /// # Errors
    /// A usage error when it would follow redirects, since credentials would go along. A client
    /// that is built cannot be asked but by its `Debug`; should that change, this refuses.
    pub fn from_client(client: reqwest::Client) -> Result<Self, Error> {
        if !format!("{client:?}").contains(r#"redirect_policy: "Policy(None)""#) {
            return Err(Error::usage(
                "this HTTP client follows redirects, and credentials would go along; build it with redirect(Policy::none())",
            ));
        }
        Ok(Self { client })
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // reqwest shows default headers, and they may hold credentials.
        f.write_str("ReqwestTransport")
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut request = convert(request)?;
        *request.timeout_mut() = Some(limits.total);

        let mut response = self.client.execute(request).await.map_err(failure)?;
        if response
            .headers()
            .get(header::CONTENT_ENCODING)
            .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(TransportError::new(Kind::Coding));
        }
        if response
            .content_length()
            .is_some_and(|length| length > limits.body as u64)
        {
            return Err(TransportError::new(Kind::TooLarge));
        }
        let body = read(&mut response, limits.body).await?;
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

/// The body, at most `limit` bytes. Most come in one piece, which is taken as it is.
async fn read(response: &mut reqwest::Response, limit: usize) -> Result<Bytes, TransportError> {
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if first.len() + body.len() + chunk.len() > limit {
            return Err(TransportError::new(Kind::TooLarge));
        }
        if first.is_empty() && body.is_empty() {
            first = chunk;
        } else {
            body.extend_from_slice(&std::mem::take(&mut first));
            body.extend_from_slice(&chunk);
        }
    }
    match body.is_empty() {
        true => Ok(first),
        false => Ok(body.freeze()),
    }
}

/// Our request as reqwest's, without parsing again a URL that is known.
fn convert(request: http::Request<Bytes>) -> Result<reqwest::Request, TransportError> {
    let Some(url) = EndpointUrl::of(&request).map(|url| url.as_url().clone()) else {
        return reqwest::Request::try_from(request)
            .map_err(|error| TransportError::new(Kind::Request).with_source(error.without_url()));
    };
    let (parts, body) = request.into_parts();
    let mut request = reqwest::Request::new(parts.method, url);
    *request.headers_mut() = parts.headers;
    *request.body_mut() = Some(body.into());
    Ok(request)
}

/// reqwest's error as ours, without the URL: its query may hold what no log should.
fn failure(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        Kind::Connect
    } else if error.is_timeout() {
        Kind::Timeout
    } else if error.is_builder() {
        Kind::Request
    } else {
        Kind::Interrupted
    };
    TransportError::new(kind).with_source(error.without_url())
}
