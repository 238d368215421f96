//! The endpoints as tower services, for any HTTP server.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS},
};
use http_body::Body;
use http_body_util::{Full, LengthLimitError};
use serde_json::Value;
use tower_service::Service;

use crate::{
    AuthorizationRequest, AuthorizationServer, AuthorizeApplication, AuthorizeError, Decision,
    DeviceApplication, IntrospectApplication, OAuthError, PushedApplication, RevokeApplication,
    TokenApplication, UserinfoApplication,
    application::{error_response, json_response},
    error::NO_STORE,
    guard,
};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Run = dyn Fn(AuthorizationServer, Request<Bytes>) -> BoxFuture<Response<Bytes>> + Send + Sync;

/// One endpoint as a tower service; it reads the body within the server's limits. It never fails:
/// every fault is a response.
#[derive(Clone)]
pub struct EndpointService {
    server: AuthorizationServer,
    run: Arc<Run>,
}

macro_rules! services {
    ($($(#[$doc:meta])* $service:ident: $application:ident, $endpoint:ident, |$app:ident, $ok:ident| $success:expr, $error:ident;)*) => {
        impl AuthorizationServer {$(
            $(#[$doc])*
            pub fn $service(&self, application: impl $application) -> EndpointService {
                let application = Arc::new(application);
                EndpointService::new(self, move |server, request| {
                    let $app = Arc::clone(&application);
                    Box::pin(async move {
                        match server.$endpoint(&request).await {
                            Ok($ok) => not_stored($success),
                            Err(error) => protect($app.$error(&error), error.headers()),
                        }
                    })
                })
            }
        )*}
    };
}

services! {
    /// The token endpoint, rendered by `application`.
    token_service: TokenApplication, token, |app, answer| app.token_success(&answer), token_error;
    /// The introspection endpoint, rendered by `application`.
    introspect_service: IntrospectApplication, introspect, |app, answer| app.introspect_success(&answer), introspect_error;
    /// The revocation endpoint, rendered by `application`.
    revoke_service: RevokeApplication, revoke, |app, _answer| app.revoke_success(), revoke_error;
    /// The device authorization endpoint, rendered by `application`.
    device_service: DeviceApplication, device_authorization, |app, answer| app.device_success(&answer), device_error;
    /// The userinfo endpoint, rendered by `application`.
    userinfo_service: UserinfoApplication, userinfo, |app, answer| app.userinfo_success(&answer), userinfo_error;
    /// The pushed authorization request endpoint, rendered by `application`.
    pushed_service: PushedApplication, pushed_authorization, |app, answer| app.pushed_success(&answer), pushed_error;
}

impl AuthorizationServer {
    /// The authorization endpoint: what the person decided is what `application` says, and until
    /// they did it shows its page. No other page may frame it (RFC 9700 §4.16), and its URL is told to nobody; a
    /// `Content-Security-Policy` of the application's own is kept, and should say
    /// `frame-ancestors`, too.
    pub fn authorize_service(&self, application: impl AuthorizeApplication) -> EndpointService {
        let application = Arc::new(application);
        EndpointService::new(self, move |server, request| {
            let application = Arc::clone(&application);
            Box::pin(async move {
                let page = match server.preauthorize(&request).await {
                    Ok(authorization) => {
                        decided(&server, &*application, &request, authorization).await
                    }
                    Err(error) => {
                        let page = application.preauthorize_error(&error);
                        protect(page, error.error().headers())
                    }
                };
                unframed(page)
            })
        })
    }

    /// The metadata document (RFC 8414 §3, OpenID Connect Discovery §4).
    pub(crate) fn metadata_service(&self) -> EndpointService {
        self.document_service(|server| {
            Box::pin(async move { Ok(server.metadata_with_scopes().await?) })
        })
    }

    /// The public keys (RFC 7517 §5).
    pub(crate) fn jwks_service(&self) -> EndpointService {
        self.document_service(|server| Box::pin(async move { Ok(server.jwks()) }))
    }

    /// JSON that is nobody's secret.
    fn document_service(
        &self,
        document: fn(Self) -> BoxFuture<Result<Value, OAuthError>>,
    ) -> EndpointService {
        EndpointService::new(self, move |server, request| {
            Box::pin(async move {
                let document = match *request.method() {
                    Method::GET | Method::HEAD => document(server).await,
                    _ => Err(OAuthError::method_not_allowed("GET, HEAD")),
                };
                match document {
                    Ok(document) => json_response(StatusCode::OK, &document),
                    Err(error) => refused(&error),
                }
            })
        })
    }
}

impl EndpointService {
    pub(crate) fn new(
        server: &AuthorizationServer,
        run: impl Fn(AuthorizationServer, Request<Bytes>) -> BoxFuture<Response<Bytes>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            server: server.clone(),
            run: Arc::new(run),
        }
    }
}

impl fmt::Debug for EndpointService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointService")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for EndpointService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { server, run } = self.clone();
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            let read = {
                let reading = pin!(read(&server, body));
                guard::caught(reading).await
            };
            // The application's own rendering may panic, too.
            let answer = match read {
                Some(Ok(body)) => {
                    guard::caught(run(server, Request::from_parts(parts, body))).await
                }
                Some(Err(error)) => Some(refused(&error)),
                None => None,
            };
            let answer = answer.unwrap_or_else(|| refused(&OAuthError::internal()));
            Ok(answer.map(Full::new))
        })
    }
}

/// The application's page, or where its person's decision sends the browser.
async fn decided(
    server: &AuthorizationServer,
    application: &impl AuthorizeApplication,
    request: &Request<Bytes>,
    authorization: AuthorizationRequest,
) -> Response<Bytes> {
    let answer = match application.decision(request, &authorization).await {
        Decision::Pending => {
            return not_stored(application.preauthorize_success(request, &authorization));
        }
        Decision::Denied => Err(server
            .refuse(&authorization)
            .await
            .unwrap_or_else(AuthorizeError::Page)),
        Decision::Allowed { subject, auth_time } => {
            let authorization = match auth_time {
                Some(auth_time) => authorization.authenticated_at(auth_time),
                None => authorization,
            };
            server.authorize(&authorization, &subject).await
        }
    };
    match answer {
        Ok(granted) => not_stored(application.authorize_success(&granted)),
        Err(error) => protect(application.authorize_error(&error), error.error().headers()),
    }
}

/// Reads the body: as much as the limit allows, for as long as the limit allows.
async fn read<B>(server: &AuthorizationServer, body: B) -> Result<Bytes, OAuthError>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let too_large = || {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        OAuthError::unread_body(status, "the body is too large")
    };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > server.max_body() {
        return Err(too_large());
    }
    let mut body = pin!(whole(body, server.max_body()));
    let read = match at_once(body.as_mut()).await {
        Some(read) => Ok(read),
        None => Box::pin(tokio::time::timeout(server.body_timeout(), body)).await,
    };
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(Unread::TooLarge)) => Err(too_large()),
        Ok(Err(Unread::Incomplete)) => {
            let status = StatusCode::BAD_REQUEST;
            Err(OAuthError::unread_body(status, "the body is incomplete"))
        }
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(OAuthError::unread_body(status, "the body took too long"))
        }
    }
}

#[derive(Debug, PartialEq)]
enum Unread {
    TooLarge,
    Incomplete,
}

/// The data of a body of at most `most` bytes. What comes in one piece, as nearly all do, is not
/// copied.
async fn whole<B>(body: B, most: usize) -> Result<Bytes, Unread>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(body);
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|error| match error.into().is::<LengthLimitError>() {
            true => Unread::TooLarge,
            false => Unread::Incomplete,
        })?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let length = data.remaining();
        if length > most - first.len().max(all.len()) {
            return Err(Unread::TooLarge);
        }
        let data = data.copy_to_bytes(length);
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(match all.is_empty() {
        true => first,
        false => all.freeze(),
    })
}

/// What comes of the future without waiting: the body of a small request comes with its head, and is
/// there at the second look. Only another one needs a timer.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut looked = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if looked => Poll::Ready(None),
        Poll::Pending => {
            looked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

fn refused(error: &OAuthError) -> Response<Bytes> {
    protect(error_response(error), error.headers())
}

/// Adds headers that an application cannot leave out.
fn protect(mut response: Response<Bytes>, headers: HeaderMap) -> Response<Bytes> {
    response.headers_mut().extend(headers);
    response
}

/// The same for what was granted.
fn not_stored(mut response: Response<Bytes>) -> Response<Bytes> {
    for (name, value) in NO_STORE {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A framed page makes a person click on what they do not see.
fn unframed(mut page: Response<Bytes>) -> Response<Bytes> {
    let headers = page.headers_mut();
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = headers.entry(CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static("frame-ancestors 'none'"));
    page
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body::Frame;

    use super::*;

    /// A body in these pieces.
    struct Pieces(VecDeque<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Box<dyn Error + Send + Sync>;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn pieces(texts: &[&'static str]) -> Pieces {
        let frames = texts.iter().map(|text| Frame::data(Bytes::from(*text)));
        Pieces(frames.map(Ok).collect())
    }

    #[tokio::test]
    async fn a_body_is_read_whole_in_whatever_pieces_it_comes() {
        for texts in [
            &["abcdef"][..],
            &["ab", "cd", "ef"],
            &["", "abc", "", "def", ""],
            &["a", "bcdef"],
        ] {
            let read = whole(pieces(texts), 6).await;
            assert_eq!(read, Ok(Bytes::from("abcdef")), "{texts:?}");
            let read = whole(pieces(texts), 5).await;
            assert_eq!(read, Err(Unread::TooLarge), "{texts:?}");
        }
        assert_eq!(whole(pieces(&[]), 0).await, Ok(Bytes::new()));
        let mut with_trailers = pieces(&["ab", "cd"]);
        let trailers = Frame::trailers(HeaderMap::new());
        with_trailers.0.insert(1, Ok(trailers));
        assert_eq!(whole(with_trailers, 4).await, Ok(Bytes::from("abcd")));
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_not_read() {
        let mut broken = pieces(&["ab"]);
        broken.0.push_back(Err("broken".into()));
        assert_eq!(whole(broken, 4).await, Err(Unread::Incomplete));
        let limited = http_body_util::Limited::new(pieces(&["ab", "cd"]), 3);
        assert_eq!(whole(limited, 4).await, Err(Unread::TooLarge));
    }
}
