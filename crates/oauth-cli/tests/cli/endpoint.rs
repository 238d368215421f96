//! A server that answers as a test says, and keeps what it was asked.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// One request, its body read to the end.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    body: String,
}

pub(crate) struct Endpoint {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Endpoint {
    /// Each request in a thread of its own, so that an answer may take its time. The threads end
    /// with the process.
    pub(crate) fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&requests));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let Some(request) = Request::read(&mut stream) else {
                        return;
                    };
                    kept.lock().unwrap().push(request.clone());
                    // Who asked may be gone.
                    let _ = stream.write_all(&answer(&request));
                });
            }
        });
        Self { url, requests }
    }

    /// A token endpoint that grants every request this token.
    pub(crate) fn granting(token: serde_json::Value) -> Self {
        Self::start(move |_| json(200, &token.to_string()))
    }

    /// An issuer with metadata (RFC 8414) that name every endpoint by one letter.
    pub(crate) fn issuer(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |request| {
            if request.path() != "/.well-known/oauth-authorization-server" {
                return answer(request);
            }
            let base = format!("http://{}", request.header("host").unwrap());
            let metadata = serde_json::json!({
                "issuer": base,
                "authorization_endpoint": format!("{base}/a"),
                "device_authorization_endpoint": format!("{base}/d"),
                "introspection_endpoint": format!("{base}/i"),
                "revocation_endpoint": format!("{base}/r"),
                "token_endpoint": format!("{base}/t"),
                "response_types_supported": ["code"],
            });
            json(200, &metadata.to_string())
        })
    }

    /// Without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// The paths of what was asked since the last time, but for the metadata.
    pub(crate) fn paths(&self) -> Vec<String> {
        let requests = self.take();
        let paths = requests.iter().map(Request::path);
        let paths = paths.filter(|path| !path.starts_with("/.well-known/"));
        paths.map(str::to_owned).collect()
    }

    /// The one request since the last time.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Request {
        let mut requests = self.take();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let request = Self {
                    head: head.to_owned(),
                    body: body.to_owned(),
                };
                let length = request.header("content-length").map(str::parse::<usize>);
                if body.len() >= length.and_then(Result::ok).unwrap_or(0) {
                    return Some(request);
                }
            }
            match stream.read(&mut part) {
                Ok(0) | Err(_) => return None,
                Ok(read) => bytes.extend_from_slice(&part[..read]),
            }
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    }

    /// A member of its form.
    pub(crate) fn member(&self, wanted: &str) -> Option<String> {
        let mut form = url::form_urlencoded::parse(self.body.as_bytes());
        let (_, value) = form.find(|(name, _)| name == wanted)?;
        Some(value.into_owned())
    }
}

/// An answer after which the connection is closed.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    with_header(status, "x-nothing: nothing", body)
}

pub(crate) fn with_header(status: u16, header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{header}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
