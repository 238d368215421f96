//! The local server everybody talks to: a token endpoint and a resource, on a thread of its own.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpSocket, runtime, time::sleep};

/// Answers any grant with a token of 30 characters, until the process ends.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requests: AtomicUsize,
    open: AtomicUsize,
    peak: AtomicUsize,
    delay: AtomicU64,
    lifetime: AtomicU64,
}

impl Endpoint {
    /// Starts one that answers at once with tokens that live an hour.
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        state.lifetime.store(3600, Relaxed);
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(serve(shared, &sender));
        });
        let address = receiver.recv().expect("the server says where it listens");
        Self { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub fn resource_url(&self) -> String {
        format!("http://{}/resource", self.address)
    }

    /// Lets every token request take this long from now on.
    pub fn take(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis() as u64, Relaxed);
    }

    /// Sets how many seconds a token lives.
    pub fn lifetime(&self, seconds: u64) {
        self.state.lifetime.store(seconds, Relaxed);
    }

    /// Forgets the requests seen so far.
    pub fn reset(&self) {
        self.state.requests.store(0, Relaxed);
        self.state.peak.store(0, Relaxed);
    }

    /// Token requests since the last reset.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Relaxed)
    }

    /// The most token requests that were open at the same time since the last reset.
    pub fn peak(&self) -> usize {
        self.state.peak.load(Relaxed)
    }
}

async fn serve(state: Arc<State>, address: &mpsc::Sender<SocketAddr>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .expect("a free port");
    let listener = socket.listen(65_535).expect("it can listen");
    address
        .send(listener.local_addr().expect("it is bound"))
        .expect("the starter waits");
    loop {
        // Out of file descriptors: the client that caused it fails, this server does not.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/resource" {
        return Ok(json(Bytes::from_static(b"{\"data\":[]}")));
    }
    let number = state.requests.fetch_add(1, Relaxed);
    let open = state.open.fetch_add(1, Relaxed) + 1;
    state.peak.fetch_max(open, Relaxed);
    let _ = request.into_body().collect().await;
    let delay = state.delay.load(Relaxed);
    if delay > 0 {
        sleep(Duration::from_millis(delay)).await;
    }
    state.open.fetch_sub(1, Relaxed);
    let lifetime = state.lifetime.load(Relaxed);
    Ok(json(Bytes::from(format!(
        r#"{{"access_token":"{number:030}","token_type":"Bearer","expires_in":{lifetime}}}"#
    ))))
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
