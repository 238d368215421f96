//! Connections: dropped in the middle, and used again.

use oauth_core::{ErrorKind, Limits, Token};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::arrived;
use crate::{Context, Outcome, Reply, ensure};

pub(super) async fn dropped(cx: Context) -> Outcome {
    let server = cx
        .scripted([
            Reply::silence(),
            cx.token_reply("first"),
            cx.token_reply("second"),
        ])
        .await?;
    let client = cx.client(server.base_url())?;
    let grant = cx.grant(&client);
    tokio::select! {
        result = client.exchange(&*grant).into_future() => {
            ensure!(false, "there is no answer, expected no result, got {result:?}");
        }
        came = arrived(&server, 1) => came?,
    }
    for expected in ["first", "second"] {
        let token = client.exchange(&*grant).await?;
        let got = token.access_token().expose_secret();
        ensure!(
            got == expected,
            "dropped a request, expected the next answers in order, got {got}"
        );
    }
    let count = server.received().len();
    ensure!(
        count == 3,
        "dropped a request and made two, expected 3, got {count}"
    );
    Ok(())
}

pub(super) async fn reused(cx: Context) -> Outcome {
    let refusal = |size: usize| {
        let body = json!({"error": "invalid_client", "error_description": "x".repeat(size)});
        Reply::json(400, &body)
    };
    for (sent, reply) in [
        ("a small refusal", refusal(10)),
        ("a refusal of 64 KiB", refusal(64 * 1024)),
        ("a refusal above the limit", refusal(256 * 1024)),
        (
            "a failure with a page",
            Reply::new(503).body("<html>".repeat(1000)),
        ),
        (
            "a token cut short",
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"access_token\":"),
        ),
    ] {
        let server = cx
            .scripted([reply, cx.token_reply("the-next-answer")])
            .await?;
        let limits = Limits::default().with_body(128 * 1024);
        let client = cx.builder(server.base_url())?.limits(limits).build()?;
        let first = cx.ask(&client).await;
        ensure!(
            first.is_err(),
            "sent {sent}, expected an error, got {first:?}"
        );
        let token = cx.ask(&client).await?;
        let got = token.access_token().expose_secret();
        ensure!(
            got == "the-next-answer",
            "sent {sent}, expected the next answer to be itself, got {got}"
        );
        let count = server.received().len();
        ensure!(
            count == 2,
            "made two requests after {sent}, expected 2, got {count}"
        );
    }

    // Behind a refusal comes a token that nobody has asked for yet.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let smuggled = cx.target().token_answer("smuggled").to_string();
    let bytes = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{{}}HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(stuffed(stream, bytes.clone()));
        }
    });
    let client = cx.client(&base)?;
    for _ in 0..5 {
        match cx.ask(&client).await {
            Err(error) if error.kind() != ErrorKind::Usage => {}
            other => ensure!(
                false,
                "stuffed a token behind a refusal, expected it never read, got {other:?}"
            ),
        }
    }
    task.abort();
    Ok(())
}

/// Writes `bytes` once, and keeps the connection open.
async fn stuffed(mut stream: TcpStream, bytes: String) {
    let mut buffer = [0; 16 * 1024];
    if stream.read(&mut buffer).await.is_ok() && stream.write_all(bytes.as_bytes()).await.is_ok() {
        while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {}
    }
}
