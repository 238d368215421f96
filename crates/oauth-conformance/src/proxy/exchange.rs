//! One connection: requests go to the server, answers come back as the fault has them.

use std::{fmt::Write, io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Fault, Shared, bomb::gzip_bomb};
use crate::{
    Received, Seed,
    scripted::read_request,
    secrets,
    seed::Draw,
    wire::{self, Answer},
};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
}

/// Between two bytes that drip.
const DRIP: Duration = Duration::from_millis(20);

/// Serves a connection; its first exchange meets the fault.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stream: &mut S,
    mut fault: Option<Fault>,
    seed: Seed,
) -> io::Result<End> {
    let mut draw = seed.draw();
    let mut buffer = Vec::new();
    while let Some(request) = read_request(stream, &mut buffer).await? {
        shared.lock().paths.push(request.path().to_owned());
        let fault = fault.take();
        match fault {
            Some(Fault::Refuse | Fault::ResetBeforeHeaders) => return Ok(End::Reset),
            Some(Fault::Stall) => return hold(stream).await,
            Some(Fault::Redirect) => redirect(stream, &mut draw).await?,
            Some(Fault::GzipBomb) => bomb(stream).await?,
            fault => {
                let answer = forward(shared, &request).await?;
                match fault {
                    None => whole(stream, &answer).await?,
                    Some(fault) => match broken(stream, fault, answer, &mut draw).await? {
                        Next::Request => {}
                        Next::End(end) => return Ok(end),
                    },
                }
            }
        }
        stream.flush().await?;
    }
    Ok(End::Close)
}

/// What the server says to `request`.
async fn forward(shared: &Shared, request: &Received) -> io::Result<Head> {
    let bytes = request.bytes(wire::host(&shared.upstream));
    let answer = wire::raw(&shared.upstream, &bytes);
    let secrets = shared.lock().secrets.clone();
    let answer = match secrets {
        Some(secrets) => secrets::CURRENT.scope(secrets, answer).await,
        None => answer.await,
    };
    let answer = answer.map_err(|error| io::Error::other(error.to_string()))?;
    shared.lock().forwarded += 1;
    Ok(Head::of(&answer, &shared.upstream, &shared.base_url))
}

/// An answer whose framing is still open.
struct Head {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Head {
    fn of(answer: &Answer, upstream: &str, own: &str) -> Self {
        const FRAMING: [&str; 4] = [
            "content-length",
            "transfer-encoding",
            "connection",
            "keep-alive",
        ];

        let moved = |text: &str| text.replace(upstream, own);
        let mut headers = String::new();
        for (name, value) in answer.headers() {
            if !FRAMING.contains(&name.as_str()) {
                // Writing into a String cannot fail.
                let _ = write!(headers, "{name}: {}\r\n", moved(value));
            }
        }
        let body = match std::str::from_utf8(answer.body()) {
            Ok(text) => moved(text).into_bytes(),
            Err(_) => answer.body().to_vec(),
        };
        Self {
            status: answer.status(),
            headers,
            body,
        }
    }

    /// The head's bytes, with this framing.
    fn bytes(&self, framing: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {} Proxied\r\n{}{framing}\r\n",
            self.status, self.headers
        )
        .into_bytes()
    }

    fn sized(&self, length: usize) -> Vec<u8> {
        self.bytes(&format!("Content-Length: {length}\r\n"))
    }
}

enum Next {
    Request,
    End(End),
}

async fn whole<S: AsyncWrite + Unpin>(stream: &mut S, answer: &Head) -> io::Result<()> {
    // RFC 9110 §8.6: these two have no length.
    let head = match answer.status {
        204 | 304 => answer.bytes(""),
        _ => answer.sized(answer.body.len()),
    };
    stream.write_all(&head).await?;
    stream.write_all(&answer.body).await
}

/// The server's answer with a fault in it.
async fn broken<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    fault: Fault,
    mut answer: Head,
    draw: &mut Draw,
) -> io::Result<Next> {
    match fault {
        Fault::Duplicate => {
            whole(stream, &answer).await?;
            whole(stream, &answer).await?;
            return Ok(Next::Request);
        }
        Fault::Informational => {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            for _ in 0..=draw.below(4) {
                let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
                stream.write_all(hint).await?;
            }
            whole(stream, &answer).await?;
            return Ok(Next::Request);
        }
        Fault::Delay => return hold(stream).await.map(Next::End),
        _ => {}
    }
    if answer.body.is_empty() {
        // There must be something to break.
        answer.status = if answer.status == 204 {
            200
        } else {
            answer.status
        };
        answer.body = b"{}".to_vec();
    }
    let length = answer.body.len();
    let cut = draw.below(answer.body.trim_ascii_end().len());
    match fault {
        Fault::ResetAfterHeaders => {
            stream.write_all(&answer.sized(length)).await?;
            stream.flush().await?;
            return Ok(Next::End(End::Reset));
        }
        Fault::CutBody | Fault::StallInBody => {
            stream.write_all(&answer.sized(length)).await?;
            stream.write_all(&answer.body[..cut]).await?;
            stream.flush().await?;
            if fault == Fault::StallInBody {
                return hold(stream).await.map(Next::End);
            }
        }
        Fault::Drip => {
            // Longer than any time limit of the suite's, and blanks are no harm to JSON.
            answer.body.resize(length + 100_000, b' ');
            stream.write_all(&answer.sized(answer.body.len())).await?;
            for byte in &answer.body {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Fault::LongLength => {
            let promised = length + 1 + draw.below(64);
            stream.write_all(&answer.sized(promised)).await?;
            stream.write_all(&answer.body).await?;
        }
        Fault::ShortLength => {
            stream.write_all(&answer.sized(cut)).await?;
            stream.write_all(&answer.body).await?;
            return Ok(Next::Request);
        }
        Fault::TlsClose => {
            stream
                .write_all(&answer.bytes("Connection: close\r\n"))
                .await?;
            stream.write_all(&answer.body[..cut]).await?;
            stream.flush().await?;
        }
        _ => {}
    }
    Ok(Next::End(End::Close))
}

async fn redirect<S: AsyncWrite + Unpin>(stream: &mut S, draw: &mut Draw) -> io::Result<()> {
    let status = [301, 302, 303, 307, 308][draw.below(5)];
    let answer =
        format!("HTTP/1.1 {status} Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await
}

async fn bomb<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let body = gzip_bomb();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await
}

/// Nothing, until the client gives up.
async fn hold<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<End> {
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {}
    Ok(End::Close)
}
