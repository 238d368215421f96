//! B5: servers that fail, and networks that do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    Error, ErrorKind, Limits, RetryPolicy, Transport, TransportError, TransportErrorKind,
    random::Random,
};
use serde_json::json;
use tokio::net::TcpSocket;

use super::{expect, faults, marks, refusals};
use crate::{
    Case, Context, Failure, Need::AnyGrant, Outcome, Reply, WatchedTransport, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-80" [AnyGrant] => server_errors,
    "RSP-81" [AnyGrant] => unavailable_for_a_while,
    "RSP-82" [AnyGrant] => server_errors_with_a_code,
    "RSP-83" [AnyGrant] => server_errors_that_blame_the_grant,
    "RSP-84" [AnyGrant] => server_errors_with_a_token,
    "RSP-85" [AnyGrant] => no_answer,
    "RSP-86" [AnyGrant] => one_class_each,
};

async fn server_errors(cx: Context) -> Outcome {
    for status in 500..=599 {
        let body = match status % 4 {
            0 => "",
            1 => "<html><h1>Bad Gateway</h1></html>",
            2 => r#"{"message":"failed"}"#,
            _ => "{\"cut\":",
        };
        let sent = format!("{status} with {body:?}");
        let error = expect::error(&cx, &sent, Reply::new(status).body(body)).await?;
        expect::is_transient(&error, &sent)?;
        let got = error.status().map(|status| status.as_u16());
        ensure!(
            got == Some(status),
            "sent {sent}, expected the status in the error, got {got:?}"
        );
    }
    Ok(())
}

async fn unavailable_for_a_while(cx: Context) -> Outcome {
    for (text, seconds) in [("120", Some(120)), ("-1", None), ("soon", None)] {
        refusals::asks_to_wait(&cx, 503, text, seconds).await?;
    }
    cx.clock()
        .set(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 90));
    refusals::asks_to_wait(&cx, 503, "Sun, 06 Nov 1994 08:49:37 GMT", Some(90)).await
}

async fn server_errors_with_a_code(cx: Context) -> Outcome {
    for code in ["server_error", "temporarily_unavailable"] {
        transient(&cx, code, &[500, 502, 503]).await?;
    }
    Ok(())
}

async fn server_errors_that_blame_the_grant(cx: Context) -> Outcome {
    for code in ["invalid_grant", "invalid_client", "access_denied"] {
        transient(&cx, code, &[500, 502, 503, 504]).await?;
    }
    Ok(())
}

async fn server_errors_with_a_token(cx: Context) -> Outcome {
    for status in [500, 502, 503, 504, 599] {
        let sent = format!("a token under {status}");
        let error =
            expect::error(&cx, &sent, cx.token_reply("MARKtoken7Q2x").status(status)).await?;
        expect::is_transient(&error, &sent)?;
        marks::unseen(&error, &["MARKtoken7Q2x"], &sent)?;
    }
    Ok(())
}

/// Refused, reset, silent, nameless, without TLS: each a transport error, and never tried again
/// without a wait.
async fn no_answer(cx: Context) -> Outcome {
    // Bound, so that nobody else gets the port, but not listening.
    let deaf = TcpSocket::new_v4()?;
    deaf.bind(([127, 0, 0, 1], 0).into())?;
    let refused = format!("http://{}", deaf.local_addr()?);
    let closed = cx.scripted([Reply::close()]).await?;
    let reset = cx.scripted([Reply::reset()]).await?;
    let silent = cx.scripted([Reply::silence()]).await?;
    let plain = cx.scripted([cx.token_reply("a")]).await?;
    let tls = plain.base_url().replace("http://", "https://");
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(10));
    for (sent, origin, limit, kind) in [
        (
            "a refused connection",
            refused.as_str(),
            long,
            TransportErrorKind::Connect,
        ),
        (
            "a connection that closes without an answer",
            closed.base_url(),
            long,
            TransportErrorKind::Interrupted,
        ),
        (
            "a connection that is reset",
            reset.base_url(),
            long,
            TransportErrorKind::Interrupted,
        ),
        (
            "a server that never answers",
            silent.base_url(),
            short,
            TransportErrorKind::Timeout,
        ),
        (
            "a name that does not resolve",
            "https://does-not-exist.invalid",
            long,
            TransportErrorKind::Connect,
        ),
        (
            "a server that does not speak TLS",
            &tls,
            long,
            TransportErrorKind::Connect,
        ),
    ] {
        let transport = Arc::new(Counted {
            inner: cx.transport(),
            origin: origin.to_owned(),
            count: AtomicUsize::new(0),
        });
        let client = cx
            .builder("http://127.0.0.1:9")?
            .shared_transport(transport.clone())
            .random(Arc::new(Half))
            .limits(Limits::default().with_total(limit))
            .retry(RetryPolicy::default())
            .build()?;
        let before = cx.clock().sleeps().len();
        let error = error_of(cx.ask(&client).await, sent)?;
        expect::is(&error, ErrorKind::Transport, sent)?;
        let got = error.transport_error().map(TransportError::kind);
        ensure!(
            got == Some(kind),
            "met {sent}, expected {kind:?}, got {got:?}"
        );
        ensure!(
            error.status().is_none(),
            "met {sent}, expected no status, got {:?}",
            error.status()
        );
        let kept = error.is_transient() && !error.needs_reauthorization();
        ensure!(
            kept,
            "met {sent}, expected a transient error and the session kept, got {:?}",
            error.recovery()
        );
        let waits = cx.clock().sleeps().split_off(before);
        let tries = transport.count.load(Ordering::SeqCst);
        let patient = tries == waits.len() + 1
            && waits.iter().all(|wait| *wait >= Duration::from_millis(100));
        ensure!(
            patient,
            "met {sent}, expected a wait before each new try, got {tries} tries and waits {waits:?}"
        );
    }
    // On a slow machine the time limit may end before the silent server has read its request.
    let requests = [&closed, &reset, &silent].map(|server| server.received().len());
    ensure!(
        requests.iter().all(|count| *count <= 1),
        "lost an answer, expected no request to be sent again, got {requests:?} for one each"
    );
    Ok(())
}

async fn one_class_each(cx: Context) -> Outcome {
    let unused = cx.scripted([cx.token_reply("a")]).await?;
    let client = cx.client(unused.base_url())?;
    let misuse = client
        .exchange(&*cx.grant(&client))
        .param("grant_type", "another")
        .await;
    let misuse = error_of(misuse, "a parameter of the client's own")?;
    let sent_nothing = unused.received().is_empty() && misuse.nothing_sent();
    ensure!(
        sent_nothing,
        "misused the client, expected nothing sent, got {} requests",
        unused.received().len()
    );
    let mut errors = vec![(ErrorKind::Usage, "misuse", misuse)];
    let grant_is_dead = cx.refusal("invalid_grant")?;
    for (kind, sent, reply) in [
        (ErrorKind::Transport, "no answer", Reply::close()),
        (
            ErrorKind::Transport,
            "no HTTP",
            Reply::raw("SSH-2.0-x\r\n\r\n"),
        ),
        (ErrorKind::Server, "503", Reply::new(503)),
        (ErrorKind::Server, "429", Reply::new(429)),
        (ErrorKind::Server, "408", Reply::new(408)),
        (ErrorKind::Protocol, "an empty 200", Reply::new(200)),
        (
            ErrorKind::Protocol,
            "a token without its text",
            cx.token_reply_with("access_token", json!(7)),
        ),
        (
            ErrorKind::Protocol,
            "a redirect",
            Reply::new(302).header("Location", "https://elsewhere.invalid/"),
        ),
        (ErrorKind::Protocol, "304", Reply::new(304)),
        (ErrorKind::OAuth, "invalid_grant", grant_is_dead),
        (
            ErrorKind::OAuth,
            "200 with error",
            Reply::json(200, &json!({"error": "invalid_scope"})),
        ),
    ] {
        errors.push((kind, sent, expect::error(&cx, sent, reply).await?));
    }
    for (kind, sent, error) in &errors {
        expect::is(error, *kind, sent)?;
        let (transient, dead) = (error.is_transient(), error.needs_reauthorization());
        let passes = matches!(kind, ErrorKind::Transport | ErrorKind::Server);
        ensure!(
            transient == passes,
            "met {sent}, expected is_transient {passes}, got {transient}"
        );
        let ends = *sent == "invalid_grant";
        ensure!(
            dead == ends,
            "met {sent}, expected needs_reauthorization {ends}, got {dead}"
        );
        let (oauth, transport) = (
            error.oauth_error().is_some(),
            error.transport_error().is_some(),
        );
        let alone =
            oauth == (*kind == ErrorKind::OAuth) && transport == (*kind == ErrorKind::Transport);
        ensure!(
            alone,
            "met {sent}, expected the details of one class, got OAuth {oauth}, transport {transport}"
        );
    }
    faults::meet(&cx, faults::WITHOUT_A_SESSION).await
}

/// Ends the case unless a refusal with `code` is transient under each of `statuses`.
async fn transient(cx: &Context, code: &str, statuses: &[u16]) -> Outcome {
    let standard = json!({ "error": code }).to_string();
    let own = cx.target().refusal(code).map(|(_, body)| body);
    for body in [Some(standard), own].into_iter().flatten() {
        for status in statuses {
            let sent = format!("{body} under {status}");
            let reply = Reply::new(*status)
                .header("Content-Type", "application/json")
                .body(body.clone());
            let error = expect::error(cx, &sent, reply).await?;
            expect::is_transient(&error, &sent)?;
        }
    }
    Ok(())
}

fn error_of<T>(result: Result<T, Error>, met: &str) -> Result<Error, Failure> {
    result
        .err()
        .ok_or_else(|| Failure::new(format!("met {met}, expected an error, got success")))
}

/// Counts the exchanges that a client begins, and has them with another origin: a target's
/// provider is made for loopback, and these servers are anywhere.
#[derive(Debug)]
struct Counted {
    inner: WatchedTransport,
    origin: String,
    count: AtomicUsize,
}

#[async_trait]
impl Transport for Counted {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let moved = format!("{}{}", self.origin, request.uri().path());
        *request.uri_mut() = moved
            .parse()
            .map_err(|_| TransportError::new(TransportErrorKind::Request))?;
        self.count.fetch_add(1, Ordering::SeqCst);
        self.inner.send(request, limits).await
    }
}

/// Jitter that is always about half of what it may be.
#[derive(Debug)]
struct Half;

impl Random for Half {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        bytes.fill(0x80);
        Ok(())
    }
}
