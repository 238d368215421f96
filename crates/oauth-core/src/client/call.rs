//! One exchange with an endpoint: send, wait and send again where that is safe, and sort what
//! came into exactly one kind.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::StatusCode;
use secrecy::SecretString;

use super::Client;
use crate::{
    EndpointKind, EndpointUrl, Error, ErrorCode, OAuthError, Params, Replay, RetryPolicy, Scopes,
    TransportError, error::clean_header, random, response, spans,
};

/// How a request may be repeated, and which secrets to keep out of what the server says.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) endpoint: EndpointKind,
    pub(super) replay: Replay,
    pub(super) retry: Option<RetryPolicy>,
    pub(super) secrets: Vec<SecretString>,
}

impl Call {
    /// A call of `endpoint`.
    #[must_use]
    pub fn new(endpoint: EndpointKind, replay: Replay) -> Self {
        Self {
            endpoint,
            replay,
            retry: None,
            secrets: Vec::new(),
        }
    }

    /// Sets what is tried again; otherwise as the client says.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Adds a secret of the request: an error's text never shows it, should the server repeat it.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.secrets.push(secret.into());
        self
    }
}

/// A 2xx answer, and the moment before its request was sent.
pub(super) struct Answer {
    pub(super) response: http::Response<Bytes>,
    pub(super) issued_at: SystemTime,
    /// The JWT that authenticated the client, for errors about the answer to hide.
    pub(super) assertion: Option<SecretString>,
}

/// A request on its way.
struct Try<'a> {
    url: EndpointUrl,
    /// Whether it carries a proof of a key (RFC 9449 §5).
    proved: bool,
    /// The JWT that authenticates the client.
    assertion: Option<SecretString>,
    issued_at: SystemTime,
    sent: Pin<Box<dyn Future<Output = Sent> + Send + 'a>>,
}

type Sent = Result<http::Response<Bytes>, TransportError>;

/// Builds the request for one try.
type Build<'a> = dyn Fn() -> Result<http::Request<Bytes>, Error> + Send + Sync + 'a;

impl Client {
    /// Sends a request that this crate has no method for, under the same rules: limits, retry,
    /// no redirects, errors without secrets. The answer is a 2xx.
    ///
    /// A request with a bound token ([`Client::authorize`]) gets a new proof for each try. One that
    /// [`Client::request`] built for a client that authenticates with a JWT should not be tried
    /// again ([`RetryPolicy::none`]): a server takes each JWT once.
    ///
    /// # Errors
    /// As every method: see [`ErrorKind`](crate::ErrorKind).
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
        call: Call,
    ) -> Result<http::Response<Bytes>, Error> {
        self.call(request, &call)
            .await
            .map(|answer| answer.response)
    }

    pub(super) async fn call(
        &self,
        request: http::Request<Bytes>,
        call: &Call,
    ) -> Result<Answer, Error> {
        self.call_with(&|| Ok(request.clone()), call).await
    }

    /// A request to one of the provider's endpoints, built anew for each try: what authenticates
    /// the client may be good for one.
    pub(super) async fn post(
        &self,
        url: &EndpointUrl,
        params: &Params,
        scopes: Option<&Scopes>,
        call: &Call,
    ) -> Result<Answer, Error> {
        let build = || self.request_with(call.endpoint, url, params.clone(), scopes);
        self.call_with(&build, call).await
    }

    async fn call_with(&self, build: &Build<'_>, call: &Call) -> Result<Answer, Error> {
        let policy = call.retry.as_ref().unwrap_or(&self.0.retry);
        let begun = self.0.clock.monotonic();
        let mut retry = 0;
        let mut challenged = false;
        loop {
            let Try {
                url,
                proved,
                assertion,
                issued_at,
                sent,
            } = self.start(build()?, call.endpoint)?;
            let result = spans::request(self.0.provider.name(), call.endpoint, sent).await;
            let nonce = self.new_nonce(&url, result.as_ref().ok());
            let (error, again) = match result {
                Ok(response) => match self.sort(call.endpoint, response) {
                    Ok(response) => {
                        return Ok(Answer {
                            response,
                            issued_at,
                            assertion,
                        });
                    }
                    Err(error) => {
                        let again = error
                            .status()
                            .is_some_and(|status| policy.allows_status(status, call.replay));
                        (error, again)
                    }
                },
                Err(error) => {
                    let again = error.kind() == crate::TransportErrorKind::Connect;
                    (
                        Error::transport(error),
                        again && policy.allows_connect_error(call.replay),
                    )
                }
            };
            let secrets: Vec<_> = assertion.iter().collect();
            let error = self.finish(error.mask(&secrets), call);
            // The server did nothing but name the nonce to use (RFC 9449 §8): even a request that
            // may be sent once is sent again, and only then.
            if proved && nonce && !challenged && error.code() == Some(&ErrorCode::UseDpopNonce) {
                challenged = true;
                continue;
            }
            let elapsed = self.0.clock.monotonic().saturating_sub(begun);
            let wait = policy.delay(
                retry,
                elapsed,
                error.retry_after(),
                random::fraction(&*self.0.random),
            );
            match wait.filter(|_| again) {
                Some(wait) => self.wait(wait, &error).await,
                None => return Err(error),
            }
            retry += 1;
        }
    }

    /// Apart from the rest, so that the future of a call does not hold the request.
    fn start(
        &self,
        #[cfg_attr(
            not(feature = "dpop"),
            expect(unused_mut, reason = "only a proof is added")
        )]
        mut request: http::Request<Bytes>,
        endpoint: EndpointKind,
    ) -> Result<Try<'_>, Error> {
        // Whoever built the request: nothing goes out in clear but to loopback.
        let url = match EndpointUrl::of(&request) {
            Some(url) => url.clone(),
            None => EndpointUrl::parse(&request.uri().to_string())
                .map_err(|error| error.at(endpoint))?,
        };
        #[cfg(feature = "dpop")]
        let proved = self.prove(&mut request, endpoint, &url)?;
        #[cfg(not(feature = "dpop"))]
        let proved = false;
        Ok(Try {
            url,
            proved,
            assertion: self.shown(&request),
            issued_at: self.0.clock.now(),
            sent: self.0.transport.send(request, self.0.limits),
        })
    }

    /// Adds to an error what every error has, and takes out what none may have.
    pub(super) fn finish(&self, error: Error, call: &Call) -> Error {
        let own = self.0.authentication.secrets();
        let secrets: Vec<_> = call.secrets.iter().chain(&own).collect();
        let error = error.at(call.endpoint).mask(&secrets);
        tracing::debug!(
            provider = self.0.provider.name(),
            endpoint = call.endpoint.as_str(),
            kind = ?error.kind(),
            status = error.status().map(|status| status.as_u16()),
            "request failed"
        );
        error
    }

    async fn wait(&self, wait: Duration, error: &Error) {
        tracing::debug!(
            provider = self.0.provider.name(),
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            kind = ?error.kind(),
            "waiting before the next try"
        );
        self.0.clock.sleep(wait).await;
    }

    /// The JWT that authenticates the client in a request's body, a form or JSON.
    fn shown(&self, request: &http::Request<Bytes>) -> Option<SecretString> {
        if !self.0.authentication.is_for_one_server() {
            return None;
        }
        let form = form_urlencoded::parse(request.body())
            .find(|(name, _)| name == "client_assertion")
            .map(|(_, jwt)| jwt.into_owned().into());
        form.or_else(|| {
            let members = serde_json::from_slice::<serde_json::Value>(request.body()).ok()?;
            Some(members.get("client_assertion")?.as_str()?.into())
        })
    }

    /// A 2xx, or the one kind of error that the answer is.
    fn sort(
        &self,
        endpoint: EndpointKind,
        response: http::Response<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let status = response.status();
        // A part (206) is not the whole.
        if status.is_success() && status != StatusCode::PARTIAL_CONTENT {
            return Ok(response);
        }
        let oauth = self.0.provider.error_response(endpoint, &response);
        let oauth = oauth.map(|error| with_nonce(error, &response));
        let error = match status {
            // Even an OAuth code under one of these says nothing final: a proxy or a limiter spoke.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Error::server("the server asks to come back later").with_oauth(oauth)
            }
            _ if status.is_server_error() => Error::server("the server failed").with_oauth(oauth),
            _ if status.is_redirection() => Error::protocol(redirect(&response)),
            _ if status.is_client_error() => match oauth {
                Some(oauth) => Error::oauth(oauth),
                None => Error::protocol("the request was refused without a word that says why"),
            },
            _ => Error::protocol("the answer has an unexpected status"),
        };
        Err(self.describe(error, &response))
    }

    /// Adds status, wait and request id of `response` to an error about it.
    pub(super) fn describe(&self, error: Error, response: &http::Response<Bytes>) -> Error {
        let headers = response.headers();
        error
            .with_status(response.status())
            .with_retry_after(self.0.provider.retry_after(headers, self.0.clock.now()))
            .with_request_id(headers.get("x-request-id").and_then(clean_header))
    }
}

/// Hands the nonce on that a server wants to see (RFC 9449 §8), as the member `dpop_nonce`.
fn with_nonce(error: OAuthError, response: &http::Response<Bytes>) -> OAuthError {
    match response::dpop_nonce(response.headers()) {
        Some(nonce) if *error.code() == ErrorCode::UseDpopNonce => {
            let mut extra = error.extra().clone();
            extra.insert("dpop_nonce".to_owned(), nonce.into());
            error.with_extra(extra)
        }
        _ => error,
    }
}

/// Names the host that a redirect leads to; the rest of the URL may hold anything.
fn redirect(response: &http::Response<Bytes>) -> String {
    let target = response
        .headers()
        .get(http::header::LOCATION)
        .and_then(|value| value.to_str().ok());
    match target
        .and_then(|target| url::Url::parse(target).ok())
        .as_ref()
        .and_then(url::Url::host_str)
    {
        Some(host) => format!("the endpoint redirects to host {host}, which is not followed"),
        None => "the endpoint redirects, which is not followed".to_owned(),
    }
}
