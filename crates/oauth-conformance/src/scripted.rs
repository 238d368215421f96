//! A server that gives exactly the odd answers a row asks for, and remembers exactly what came.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    Failure,
    trace::{self, Trace},
};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path alone.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// How many headers of this name came.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(have, _)| have == name).count()
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The parameters in the body, a form or a JSON object of texts, in order.
    #[must_use]
    pub fn params(&self) -> Vec<(String, String)> {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(Value::Object(members)) => members
                .into_iter()
                .map(|(name, value)| {
                    (
                        name,
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned),
                    )
                })
                .collect(),
            _ => form_urlencoded::parse(&self.body).into_owned().collect(),
        }
    }

    /// The value of a parameter in the body.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        self.params()
            .into_iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value)
    }

    /// The request once more, for the server at `host`, which is to close the connection after it.
    pub(crate) fn bytes(&self, host: &str) -> Vec<u8> {
        const OWN: [&str; 3] = ["host", "connection", "content-length"];

        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            if !OWN.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Everything that came, as one text, to look for what must not be there.
    #[must_use]
    pub fn whole(&self) -> String {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        format!(
            "{} {}\n{headers}\n{}",
            self.method,
            self.target,
            self.body()
        )
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    /// A whole answer.
    Whole,
    /// These bytes instead of an answer, then the connection is closed.
    Raw(Vec<u8>),
    /// The head, then the body a byte at a time with this pause between two.
    Drip(Duration),
    /// Nothing at all, and the connection stays open.
    Silence,
    /// The connection is closed without a byte.
    Close,
    /// The connection is reset without a byte.
    Reset,
    /// The head, then blanks until the client closes the connection.
    Endless,
}

/// Where an endless body ends all the same: far beyond what buffers on the way can hold.
const ENDLESS: u64 = 256 * 1024 * 1024;

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            how: How::Whole,
        }
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status)
            .header("Content-Type", "application/json")
            .body(value.to_string())
    }

    /// These bytes instead of an answer, then the connection is closed.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            how: How::Raw(bytes.into()),
            ..Self::new(0)
        }
    }

    /// No answer, and the connection stays open.
    #[must_use]
    pub fn silence() -> Self {
        Self {
            how: How::Silence,
            ..Self::new(0)
        }
    }

    /// No answer, and the connection is closed.
    #[must_use]
    pub fn close() -> Self {
        Self {
            how: How::Close,
            ..Self::new(0)
        }
    }

    /// No answer, and the connection is reset (RFC 9293 §3.5.2), not closed.
    #[must_use]
    pub fn reset() -> Self {
        Self {
            how: How::Reset,
            ..Self::new(0)
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sends blanks after the head until the client closes the connection, framed as the headers
    /// say: `Transfer-Encoding: chunked`, a `Content-Length`, or neither.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.how = How::Endless;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body a byte at a time.
    #[must_use]
    pub fn drip(mut self, pause: Duration) -> Self {
        self.how = How::Drip(pause);
        self
    }

    /// What goes over the wire; in parentheses where nothing does.
    fn wire(&self) -> Vec<u8> {
        match &self.how {
            How::Raw(bytes) => bytes.clone(),
            How::Silence => b"(nothing, and the connection stays open)".to_vec(),
            How::Close => b"(nothing, and the connection is closed)".to_vec(),
            How::Reset => b"(nothing, and the connection is reset)".to_vec(),
            How::Whole | How::Drip(_) | How::Endless => [self.head(), self.body.clone()].concat(),
        }
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.how, How::Endless) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// A server on a free loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    base_url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    /// What answers when no reply is left.
    model: Option<Model>,
    received: Vec<Received>,
    /// How many have come.
    arrived: watch::Sender<usize>,
    /// Whether answers are held up.
    held: watch::Sender<bool>,
    /// How much of an endless body could be written, once that has ended.
    cut_off: watch::Sender<Option<u64>>,
}

struct Model(Box<dyn Fn(&Received) -> Reply + Send>);

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Model")
    }
}

impl State {
    fn next(&mut self, request: &Received) -> Option<Reply> {
        match &self.model {
            Some(model) => Some(
                self.replies
                    .pop_front()
                    .unwrap_or_else(|| (model.0)(request)),
            ),
            None if self.replies.len() <= 1 => self.replies.front().cloned(),
            None => self.replies.pop_front(),
        }
    }
}

impl ScriptedServer {
    /// A server that gives these answers in order; the last one again and again.
    ///
    /// # Errors
    /// When it cannot listen on loopback.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            replies: replies.into_iter().collect(),
            ..State::default()
        }));
        let shared = state.clone();
        let trace = Trace::fork();
        trace.scripted(&listener.local_addr()?.to_string());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let trace = trace.sibling();
                connections.spawn(trace.scope(serve(stream, shared.clone())));
            }
        });
        Ok(Self {
            base_url,
            state,
            task,
        })
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Adds an answer, for one that must name the server's own address.
    pub fn reply(&self, reply: Reply) {
        self.lock().replies.push_back(reply);
    }

    /// Answers with what `model` makes of a request when no other answer is left; each of those is
    /// given once from now on.
    pub fn model(&self, model: impl Fn(&Received) -> Reply + Send + 'static) {
        self.lock().model = Some(Model(Box::new(model)));
    }

    /// Holds all answers up, until [`ScriptedServer::go`].
    pub fn hold(&self) {
        self.lock().held.send_replace(true);
    }

    /// Lets the answers go.
    pub fn go(&self) {
        self.lock().held.send_replace(false);
    }

    /// Waits until `count` requests have come.
    ///
    /// # Errors
    /// When they have not after 10 s.
    pub async fn until(&self, count: usize) -> Result<(), Failure> {
        let mut arrived = self.lock().arrived.subscribe();
        let waited = arrived.wait_for(|have| *have >= count);
        match tokio::time::timeout(Duration::from_secs(10), waited).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Failure::new(format!(
                "expected {count} requests, got {} after 10 s",
                self.received().len()
            ))),
        }
    }

    /// What came, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// The request that came last.
    ///
    /// # Errors
    /// When none came.
    pub fn last(&self) -> Result<Received, Failure> {
        let last = self.received().pop();
        last.ok_or_else(|| Failure::new("expected a request, got none"))
    }

    /// How many bytes of an endless body could be written until the client closed the connection.
    ///
    /// # Errors
    /// When the client has not closed it after 10 s.
    pub async fn cut_off(&self) -> Result<u64, Failure> {
        let mut end = self.lock().cut_off.subscribe();
        let end =
            tokio::time::timeout(Duration::from_secs(10), end.wait_for(Option::is_some)).await;
        match end {
            Ok(Ok(written)) => Ok(written.unwrap_or_default()),
            _ => Err(Failure::new(
                "an endless body is still being read, or not closed, after 10 s",
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    // An error ends the connection: what the client then sees is part of the script.
    while let Ok(Some(request)) = read_request(&mut stream, &mut buffer).await {
        let (reply, mut held) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = state.next(&request);
            state.received.push(request);
            state.arrived.send_replace(state.received.len());
            (reply, state.held.subscribe())
        };
        let Some(reply) = reply else { return };
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        if matches!(reply.how, How::Endless) {
            let written = endless(&mut stream, &reply).await;
            state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .cut_off
                .send_replace(Some(written));
            return;
        }
        if !matches!(answer(&mut stream, &reply).await, Ok(true)) {
            return;
        }
    }
}

/// Gives an answer; whether the connection goes on after it.
async fn answer(stream: &mut TcpStream, reply: &Reply) -> io::Result<bool> {
    trace::received(&reply.wire());
    match &reply.how {
        How::Whole => {
            let mut bytes = reply.head();
            bytes.extend_from_slice(&reply.body);
            stream.write_all(&bytes).await?;
            Ok(true)
        }
        How::Raw(bytes) => {
            stream.write_all(bytes).await?;
            stream.shutdown().await?;
            Ok(false)
        }
        How::Drip(pause) => {
            stream.write_all(&reply.head()).await?;
            for byte in &reply.body {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(*pause).await;
            }
            Ok(false)
        }
        How::Silence => {
            // Until the client gives up, or the server is dropped.
            let mut byte = [0];
            while stream.read(&mut byte).await? > 0 {}
            Ok(false)
        }
        How::Reset => {
            stream.set_zero_linger()?;
            Ok(false)
        }
        How::Close | How::Endless => Ok(false),
    }
}

/// Writes blanks until the client closes the connection; how many there was room for.
async fn endless(stream: &mut TcpStream, reply: &Reply) -> u64 {
    const BLANKS: usize = 64 * 1024;

    let chunked = reply
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    let blanks = " ".repeat(BLANKS);
    let piece = if chunked {
        format!("{BLANKS:x}\r\n{blanks}\r\n")
    } else {
        blanks
    };
    trace::received(&[&reply.head(), &b"(blanks without an end)"[..]].concat());
    let mut written = 0;
    let mut result = stream.write_all(&reply.head()).await;
    while result.is_ok() && written < ENDLESS {
        result = stream.write_all(piece.as_bytes()).await;
        written += BLANKS as u64;
    }
    written
}

/// The next request on `stream`; `buffer` holds what came beyond the one before it.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Received>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        // A TLS hello is nothing that a plain server can answer.
        if stream.read_buf(buffer).await? == 0 || buffer.first() == Some(&0x16) {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (
        first.next().unwrap_or_default(),
        first.next().unwrap_or_default(),
    );
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok());
    let whole = end + 4 + length.unwrap_or(0_usize);
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let request = Received {
        method: method.to_owned(),
        target: target.to_owned(),
        body: buffer[end + 4..whole].to_vec(),
        headers,
    };
    trace::sent(&buffer[..whole]);
    buffer.drain(..whole);
    Ok(Some(request))
}
