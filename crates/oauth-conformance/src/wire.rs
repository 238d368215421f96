//! HTTP by hand: what a client library would never send is what a server must survive.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{Failure, secrets, trace::Trace};

/// No exchange of the suite's own takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// The headers in their order, names in lower case.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Failure::new(format!(
                "expected JSON, got status {} and {:?}",
                self.status,
                self.text()
            ))
        })
    }
}

/// Sends a request with a `Host`, a `Content-Length` and these headers.
///
/// # Errors
/// When no whole answer comes.
pub async fn request(
    base_url: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, Failure> {
    raw(
        base_url,
        &request_bytes(base_url, method, target, headers, body),
    )
    .await
}

/// The bytes that [`request`] sends.
#[must_use]
pub fn request_bytes(
    base_url: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
        host(base_url)
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Posts a form.
///
/// # Errors
/// When no whole answer comes.
pub async fn post_form(
    base_url: &str,
    path: &str,
    headers: &[(&str, &str)],
    form: &[(&str, &str)],
) -> Result<Answer, Failure> {
    let body: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    request(base_url, "POST", path, &all, body.as_bytes()).await
}

/// Sends these bytes and reads until the server closes or the answer is whole.
///
/// # Errors
/// When no whole answer comes.
pub async fn raw(base_url: &str, bytes: &[u8]) -> Result<Answer, Failure> {
    let answer = exchange(TcpStream::connect(host(base_url)).await?, bytes, false).await?;
    answer.ok_or_else(|| Failure::new("the server closed the connection without an answer"))
}

/// As [`raw`], but nothing more will come: the sending side ends after these bytes. `None` if the
/// server closes without an answer.
///
/// # Errors
/// When the server neither answers nor closes.
pub async fn raw_cut(base_url: &str, bytes: &[u8]) -> Result<Option<Answer>, Failure> {
    exchange(TcpStream::connect(host(base_url)).await?, bytes, true).await
}

/// As [`raw`], from this address of the machine.
///
/// # Errors
/// As [`raw`], and when the machine has no such address.
pub async fn raw_from(source: IpAddr, base_url: &str, bytes: &[u8]) -> Result<Answer, Failure> {
    let to = host(base_url)
        .parse()
        .map_err(|_| Failure::new("the base URL holds no address"))?;
    let socket = if source.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.bind(SocketAddr::new(source, 0))?;
    let answer = exchange(socket.connect(to).await?, bytes, false).await?;
    answer.ok_or_else(|| Failure::new("the server closed the connection without an answer"))
}

async fn exchange(
    mut stream: TcpStream,
    bytes: &[u8],
    end: bool,
) -> Result<Option<Answer>, Failure> {
    let trace = Trace::fork();
    // What the suite tells a counterpart's control is no part of the protocol.
    let control = bytes.windows(10).take(16).any(|part| part == b"/_control/");
    if !control {
        trace.sent(bytes);
    }
    let exchange = async {
        // A server may answer and close before it has read everything.
        let mut sent = stream.write_all(bytes).await;
        if end && sent.is_ok() {
            sent = stream.shutdown().await;
        }
        let mut got = Vec::new();
        let read = loop {
            match stream.read_buf(&mut got).await {
                Ok(0) => break Ok(()),
                Ok(_) if parse(&got).is_some_and(|(_, whole)| whole) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        trace.received(&got);
        match parse(&got) {
            Some((answer, _)) => {
                secrets::seen(bytes, &answer);
                Ok(Some(answer))
            }
            None if end => Ok(None),
            None => {
                sent?;
                read?;
                Ok(None)
            }
        }
    };
    tokio::time::timeout(DEADLINE, exchange)
        .await
        .unwrap_or_else(|_| Err(Failure::new("the server did not answer within 20 s")))
}

/// `HOST:PORT` of a base URL.
#[must_use]
pub fn host(base_url: &str) -> &str {
    base_url.trim_start_matches("http://").trim_end_matches('/')
}

/// The answer in `bytes`, and whether its body is whole by its own framing.
fn parse(bytes: &[u8]) -> Option<(Answer, bool)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    if (100..200).contains(&status) {
        return parse(rest);
    }
    let find = |name: &str| {
        headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    };
    let (body, whole) = if find("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        chunked(rest)
    } else if let Some(length) = find("content-length").and_then(|text| text.parse::<usize>().ok())
    {
        (
            rest[..length.min(rest.len())].to_vec(),
            rest.len() >= length,
        )
    } else {
        (rest.to_vec(), status == 204 || status == 304)
    };
    Some((
        Answer {
            status,
            headers,
            body,
        },
        whole,
    ))
}

fn chunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let size = std::str::from_utf8(&rest[..line])
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(size) = size else {
            return (body, false);
        };
        let start = line + 2;
        if size == 0 {
            return (body, true);
        }
        if rest.len() < start + size + 2 {
            return (body, false);
        }
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
    }
}
