//! The receiver of a native app (RFC 8252 §7.3): on loopback, for one answer, then gone.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use http::{Method, Request, Response, StatusCode, header};
use indicatif::ProgressBar;
use oauth_core::{Error, ErrorCode, ErrorKind, PendingAuthorization, grant::AuthorizationCode};
use tokio::{net::TcpListener, sync::oneshot};
use url::{Host, Url};

use crate::{
    failure::Failure,
    inspect::plain,
    pages::{self, Page},
    terminal::say,
};

/// A socket that waits, and the redirect URI that leads to it.
pub(crate) struct Receiver {
    listener: TcpListener,
    redirect_uri: Url,
}

struct Waiting {
    pending: PendingAuthorization,
    answer: Option<oneshot::Sender<Result<AuthorizationCode, Error>>>,
}

impl Receiver {
    /// Listens where `redirect_uri` says, on a free port of 127.0.0.1 without one.
    pub(crate) async fn bind(redirect_uri: Option<&str>) -> Result<Self, Failure> {
        let mut redirect_uri = Url::parse(redirect_uri.unwrap_or("http://127.0.0.1:0/callback"))
            .map_err(|_| Failure::usage("--redirect-uri is not an absolute URL"))?;
        let address = address(&redirect_uri)?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::io(&format!("cannot listen on {address}"), &error))?;
        let bound = listener
            .local_addr()
            .map_err(|error| Failure::io("the port is not known", &error))?;
        // Only http and https have ports that can be set.
        let _ = redirect_uri.set_port(Some(bound.port()));
        Ok(Self {
            listener,
            redirect_uri,
        })
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        self.redirect_uri.as_str()
    }

    /// Waits for the answer to `pending`. Others are told that they are wrong here, and change
    /// nothing but a line on the terminal, where `waiting_for` turns.
    pub(crate) async fn receive(
        self,
        pending: PendingAuthorization,
        waiting_for: ProgressBar,
    ) -> Result<AuthorizationCode, Failure> {
        let (sender, answer) = oneshot::channel();
        let waiting = Arc::new(Mutex::new(Waiting {
            pending,
            answer: Some(sender),
        }));
        let path: Arc<str> = self.redirect_uri.path().into();
        let router = Router::new().fallback(move |request: Request<axum::body::Body>| {
            let page = page(&path, &request, &waiting, &waiting_for);
            std::future::ready(response(page))
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(self.listener, router).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let serving = tokio::spawn(async move { server.await });
        let code = answer.await;
        drop(stop);
        // The page must leave before the program does; a browser that holds on must not keep it.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), serving).await;
        let code =
            code.map_err(|_| Failure::usage("the loopback receiver ended without an answer"))?;
        Ok(code?)
    }
}

/// RFC 8252 §8.3: the interface must be loopback.
fn address(redirect_uri: &Url) -> Result<SocketAddr, Failure> {
    let ip = match redirect_uri.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    if redirect_uri.scheme() != "http" || !ip.is_loopback() || redirect_uri.fragment().is_some() {
        return Err(Failure::usage(
            "--redirect-uri must be plain http on loopback, such as http://127.0.0.1:8080/callback (RFC 8252 section 7.3)",
        ));
    }
    Ok(SocketAddr::new(ip, redirect_uri.port().unwrap_or(80)))
}

fn page<B>(
    path: &str,
    request: &Request<B>,
    waiting: &Mutex<Waiting>,
    waiting_for: &ProgressBar,
) -> Page {
    if request.uri().path() != path || request.method() != Method::GET {
        return pages::NOT_FOUND;
    }
    // Nothing panics while it is held.
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let accepted = waiting
        .pending
        .accept(request.uri().query().unwrap_or_default());
    let page = match &accepted {
        Ok(_) => pages::SUCCESS,
        Err(error) if error.code() == Some(&ErrorCode::AccessDenied) => pages::DENIED,
        Err(error) if error.kind() == ErrorKind::OAuth => pages::FAILED,
        // Somebody else's: the one that is waited for can still come.
        Err(error) => {
            let why = plain(&error.to_string());
            waiting_for.suspend(|| say(&format!("note: an answer was not used: {why}")));
            return pages::NOT_USED;
        }
    };
    if let Some(answer) = waiting.answer.take() {
        // Whoever waited may have gone.
        let _ = answer.send(accepted);
    }
    page
}

fn response(page: Page) -> Response<axum::body::Body> {
    let mut response = Response::new(page.html().into());
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}
