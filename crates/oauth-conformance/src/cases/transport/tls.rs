//! TLS: who the server is, and which versions.

use std::net::SocketAddr;

use oauth_core::{ErrorKind, ReqwestTransport, Transport, grant::ClientCredentials};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::client_at;
use crate::{
    Context, Failure, Outcome, Received, Reply, ScriptedServer, ensure, environment,
    tls::{CERTIFICATE, EXPIRED, acceptor, client_builder},
};

/// A scripted server behind TLS. It stops when it is dropped.
pub(super) struct TlsServer {
    plain: ScriptedServer,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl TlsServer {
    /// Gives this answer to everybody who takes its certificate.
    pub(super) async fn start(cx: &Context, reply: Reply) -> Result<Self, Failure> {
        Self::with_certificate(cx, reply, CERTIFICATE).await
    }

    async fn with_certificate(cx: &Context, reply: Reply, pem: &[u8]) -> Result<Self, Failure> {
        let plain = cx.scripted([reply]).await?;
        let acceptor = acceptor(pem)
            .map_err(|error| Failure::new(format!("the suite's own certificate: {error}")))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let behind = plain.base_url().trim_start_matches("http://").to_owned();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    // A handshake that fails is the client's to tell.
                    let mut tls = acceptor.accept(stream).await?;
                    let mut plain = TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut tls, &mut plain).await
                });
            }
        });
        Ok(Self {
            plain,
            address,
            task,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// A transport that trusts the suite's authority alone, and finds `host` at this server.
    pub(super) fn transport(&self, host: &str) -> Result<ReqwestTransport, Failure> {
        let builder = client_builder()?.resolve(host, self.address);
        Ok(ReqwestTransport::from_builder(builder)?)
    }

    fn received(&self) -> Vec<Received> {
        self.plain.received()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// That a client with this transport does not talk to the server at `base`.
async fn ensure_refused(
    cx: &Context,
    what: &str,
    server: &TlsServer,
    host: &str,
    transport: impl Transport,
) -> Outcome {
    let client = client_at(cx, &format!("https://{host}:{}", server.port()), transport)?;
    let result = client.exchange(&ClientCredentials::new()).await;
    match &result {
        Err(error) if error.kind() == ErrorKind::Transport && error.nothing_sent() => {}
        _ => ensure!(
            false,
            "met {what}, expected a transport error before anything is sent, got {result:?}"
        ),
    }
    let count = server.received().len();
    ensure!(count == 0, "met {what}, expected no request, got {count}");
    Ok(())
}

/// Whatever whoever runs the suite has set, as [`environment`] has it: nothing here may change.
pub(super) async fn no_variable(cx: Context) -> Outcome {
    environment::check()?;
    let plain = cx.target().provider("http://id.example.com");
    ensure!(
        plain.is_err(),
        "gave plain http whatever the environment, expected an error, got {plain:?}"
    );
    let server = TlsServer::start(&cx, cx.token_reply("conformance-access-token")).await?;
    let transport = cx.transport();
    ensure_refused(
        &cx,
        "an unknown authority whatever the environment",
        &server,
        "localhost",
        transport,
    )
    .await
}

pub(super) async fn certificates_and_versions(cx: Context) -> Outcome {
    let reply = cx.token_reply("conformance-access-token");
    let server = TlsServer::start(&cx, reply.clone()).await?;
    for host in ["localhost", "127.0.0.1"] {
        let transport = cx.transport();
        ensure_refused(&cx, "an unknown authority", &server, host, transport).await?;
    }
    let other = "other.example.com";
    let transport = server.transport(other)?;
    ensure_refused(
        &cx,
        "a certificate of another name",
        &server,
        other,
        transport,
    )
    .await?;
    let expired = TlsServer::with_certificate(&cx, reply, EXPIRED).await?;
    let transport = expired.transport("localhost")?;
    ensure_refused(
        &cx,
        "a certificate of the past",
        &expired,
        "localhost",
        transport,
    )
    .await?;

    // The same server is fine for who knows its authority.
    let base = format!("https://localhost:{}", server.port());
    let client = client_at(&cx, &base, server.transport("localhost")?)?;
    client.exchange(&ClientCredentials::new()).await?;
    let count = server.received().len();
    ensure!(
        count == 1,
        "met a good certificate, expected the request, got {count}"
    );

    for (what, answer) in [
        (
            "plain HTTP",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        ("noise", vec![0xa5; 512]),
        ("TLS 1.1", server_hello(0x0302)),
        ("TLS 1.0", server_hello(0x0301)),
        ("SSL 3", server_hello(0x0300)),
    ] {
        let versions = offered(&cx, what, answer).await?;
        ensure!(
            !versions.is_empty()
                && versions
                    .iter()
                    .all(|version| [0x0303, 0x0304].contains(version)),
            "expected TLS 1.2 and 1.3 to be offered, got {versions:04x?}"
        );
    }
    Ok(())
}

/// The versions that the client's first message offers, to a server that then says `answer`; the
/// client must not take that for an answer.
async fn offered(cx: &Context, what: &str, answer: Vec<u8>) -> Result<Vec<u16>, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("https://{}", listener.local_addr()?);
    let client = client_at(cx, &base, cx.transport())?;
    let grant = ClientCredentials::new();
    let server = async {
        let (mut stream, _) = listener.accept().await?;
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut record).await?;
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        Ok::<_, std::io::Error>((head[0], record))
    };
    let (hello, result) = tokio::join!(server, client.exchange(&grant).into_future());
    match &result {
        Err(error) if error.kind() == ErrorKind::Transport => {}
        _ => ensure_err(what, &result)?,
    }
    let (kind, record) = hello?;
    if kind != 22 {
        return Err(Failure::new(format!(
            "expected a TLS handshake, got a record of type {kind}"
        )));
    }
    versions(&record).ok_or_else(|| Failure::new("expected a ClientHello, got something else"))
}

fn ensure_err<T: std::fmt::Debug>(what: &str, result: &T) -> Outcome {
    Err(Failure::new(format!(
        "answered {what}, expected a transport error, got {result:?}"
    )))
}

/// The versions in a ClientHello (RFC 8446 §4.1.2): the extension `supported_versions`, else the
/// field that was there before it.
fn versions(hello: &[u8]) -> Option<Vec<u16>> {
    let short = |at: usize| Some(u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?]));
    if *hello.first()? != 1 {
        return None;
    }
    let legacy = short(4)?;
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(*hello.get(at)?);
    at += 2 + usize::from(short(at)?);
    at += 1 + usize::from(*hello.get(at)?);
    let end = at + 2 + usize::from(short(at)?);
    at += 2;
    while at + 4 <= end {
        let (kind, length) = (short(at)?, usize::from(short(at + 2)?));
        if kind == 43 {
            let list = hello.get(at + 5..at + 4 + length)?;
            return Some(
                list.chunks_exact(2)
                    .map(|v| u16::from_be_bytes([v[0], v[1]]))
                    .collect(),
            );
        }
        at += 4 + length;
    }
    Some(vec![legacy])
}

/// A ServerHello of an old version: TLS_RSA_WITH_AES_128_CBC_SHA, no compression, no extensions.
fn server_hello(version: u16) -> Vec<u8> {
    let [high, low] = version.to_be_bytes();
    let mut hello = vec![22, high, low, 0, 42, 2, 0, 0, 38, high, low];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    hello
}
