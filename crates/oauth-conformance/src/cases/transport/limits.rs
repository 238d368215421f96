//! Time and size: what a server may take.

use std::time::Duration;

use oauth_core::{ErrorKind, Limits, TransportError, TransportErrorKind, grant::ClientCredentials};
use tokio::net::TcpListener;

use super::client_at;
use crate::{Context, Failure, Outcome, Reply, ensure};

pub(super) async fn time(cx: Context) -> Outcome {
    let default = Limits::default().total;
    ensure!(
        default <= Duration::from_secs(30),
        "expected a default of 30 s at most, got {default:?}"
    );
    let (drips, connects) = tokio::join!(total(&cx), connect(&cx));
    drips.and(connects)
}

async fn total(cx: &Context) -> Outcome {
    let slow = Duration::from_millis(100);
    let refusal = cx
        .refusal("invalid_client")
        .unwrap_or_else(|_| Reply::new(400).body("{\"error\":\"invalid_client\"}"));
    for reply in [
        cx.token_reply("conformance-access-token").drip(slow),
        refusal.drip(slow),
        Reply::new(200).body(vec![b' '; 400]).drip(slow),
        Reply::silence(),
    ] {
        let sent = format!("{reply:?}");
        let server = cx.scripted([reply]).await?;
        let limits = Limits::default().with_total(Duration::from_millis(300));
        let client = cx.builder(server.base_url())?.limits(limits).build()?;
        let grant = cx.grant(&client);
        // Far beyond the limit: without one this would hang.
        let result = tokio::time::timeout(
            Duration::from_secs(10),
            client.exchange(&*grant).into_future(),
        )
        .await
        .map_err(|_| {
            Failure::new(format!(
                "sent {sent} under a limit of 300 ms, expected an end, got none in 10 s"
            ))
        })?;
        let kind = result
            .as_ref()
            .err()
            .and_then(|error| error.transport_error())
            .map(TransportError::kind);
        ensure!(
            kind == Some(TransportErrorKind::Timeout),
            "sent {sent} under a limit of 300 ms, expected a timeout, got {result:?}"
        );
    }
    Ok(())
}

/// A connection whose TLS handshake nobody answers: it is given up well before the 30 s of the whole
/// exchange, and nothing of the request has left.
async fn connect(cx: &Context) -> Outcome {
    let deaf = TcpListener::bind(("127.0.0.1", 0)).await?;
    let client = client_at(
        cx,
        &format!("https://{}", deaf.local_addr()?),
        cx.transport(),
    )?;
    let grant = ClientCredentials::new();
    let exchange = client.exchange(&grant).into_future();
    let result = tokio::time::timeout(Duration::from_secs(20), exchange)
        .await
        .map_err(|_| {
            Failure::new("nobody answered a TLS handshake, expected an end, got none in 20 s")
        })?;
    let unsent = result
        .as_ref()
        .is_err_and(|error| error.nothing_sent() && error.transport_error().is_some());
    ensure!(
        unsent,
        "nobody answered a TLS handshake, expected an error before anything is sent, got {result:?}"
    );
    Ok(())
}

/// A token answer with these bytes in its head.
fn with_head(cx: &Context, lines: &[u8]) -> Reply {
    let body = cx
        .target()
        .token_answer("conformance-access-token")
        .to_string();
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n".to_vec();
    bytes.extend_from_slice(lines);
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    Reply::raw(bytes)
}

pub(super) async fn heads(cx: Context) -> Outcome {
    // Without anything odd it is an answer.
    cx.read(with_head(&cx, b"X-Plain: 1\r\n")).await??;
    let long_value = [
        b"X-Long: ".to_vec(),
        vec![b'a'; 1024 * 1024],
        b"\r\n".to_vec(),
    ]
    .concat();
    let long_name = [vec![b'a'; 1024 * 1024], b": 1\r\n".to_vec()].concat();
    let many: Vec<u8> = (0..10_000)
        .flat_map(|i| format!("X-Header-{i}: 1\r\n").into_bytes())
        .collect();
    for (sent, lines) in [
        ("a header of 1 MiB", long_value),
        ("a header name of 1 MiB", long_name),
        ("10 000 headers", many),
        ("NUL in a header", b"X-Odd: a\0b\r\n".to_vec()),
        (
            "a control character in a header",
            b"X-Odd: a\x01b\r\n".to_vec(),
        ),
        ("a header name with a blank", b"X Odd: a\r\n".to_vec()),
        ("a header name outside ASCII", b"X-\xc3\xa4: a\r\n".to_vec()),
        ("a head line without a colon", b"no colon here\r\n".to_vec()),
    ] {
        match cx.read(with_head(&cx, &lines)).await? {
            Err(error) if [ErrorKind::Transport, ErrorKind::Protocol].contains(&error.kind()) => {}
            other => ensure!(false, "sent {sent}, expected an error, got {other:?}"),
        }
    }
    // Bytes above ASCII are allowed in values (RFC 9110 §5.5), and nobody reads them as text.
    cx.read(with_head(
        &cx,
        b"X-Odd: \xff\xfe\x80\r\nX-Request-Id: \xff\r\n",
    ))
    .await??;
    for sent in [
        "",
        "\r\n\r\n",
        "HTTP/1.1 9999 Odd\r\n\r\n",
        "HTTP/7.3 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200",
    ] {
        match cx.read(Reply::raw(sent)).await? {
            Err(error) if error.kind() == ErrorKind::Transport => {}
            other => ensure!(
                false,
                "sent {sent:?}, expected a transport error, got {other:?}"
            ),
        }
    }
    Ok(())
}
