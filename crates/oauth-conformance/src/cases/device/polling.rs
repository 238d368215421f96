//! A4, second half: when a device polls, and when it stops.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::{
    ErrorCode, Limits, RetryPolicy, Token,
    clock::{Clock, ManualClock},
    grant::ClientCredentials,
};
use serde_json::json;
use tokio::sync::watch;

use super::{device_answer, device_answer_with, started};
use crate::{Context, Outcome, Reply, cases::transport::arrived, ensure};

const TOKEN: &str = "conformance-access-token";

/// A refusal as the target says it, or as RFC 8628 §3.5 does when it has no word of its own.
fn refusal(cx: &Context, code: &str) -> Reply {
    cx.refusal(code)
        .unwrap_or_else(|_| Reply::json(400, &json!({ "error": code })))
}

fn seconds(seconds: &[u64]) -> Vec<Duration> {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

/// Polls a server that gives these replies, the last of them a token; the waits must be these.
async fn ensure_waits(
    cx: &Context,
    answer: serde_json::Value,
    replies: Vec<Reply>,
    expected: &[u64],
) -> Outcome {
    let before = cx.clock().sleeps().len();
    let sent = format!("{replies:?}");
    let polls = replies.len();
    let (server, client, device) = started(cx, answer, replies).await?;
    let token = client.poll_device(&device).await?;
    ensure!(
        token.access_token().expose_secret() == TOKEN,
        "expected the token, got another"
    );
    let waits = cx.clock().sleeps().split_off(before);
    ensure!(
        waits == seconds(expected),
        "sent {sent}, expected waits of {expected:?} s, got {waits:?}"
    );
    let count = server.received().len() - 1;
    ensure!(
        count == polls,
        "sent {sent}, expected {polls} polls, got {count}"
    );
    Ok(())
}

pub(super) async fn interval(cx: Context) -> Outcome {
    let pending = refusal(&cx, "authorization_pending");
    let ok = cx.token_reply(TOKEN);
    // The first poll waits as well.
    ensure_waits(
        &cx,
        device_answer_with("interval", json!(7)),
        vec![ok.clone()],
        &[7],
    )
    .await?;
    let mut unnamed = device_answer();
    if let Some(members) = unnamed.as_object_mut() {
        members.remove("interval");
    }
    ensure_waits(&cx, unnamed, vec![pending.clone(), pending, ok], &[5, 5, 5]).await
}

pub(super) async fn slow_down(cx: Context) -> Outcome {
    let (pending, slow) = (
        refusal(&cx, "authorization_pending"),
        refusal(&cx, "slow_down"),
    );
    let replies = vec![
        pending.clone(),
        slow.clone(),
        pending.clone(),
        slow,
        pending,
        cx.token_reply(TOKEN),
    ];
    ensure_waits(&cx, device_answer(), replies, &[5, 5, 10, 10, 15, 15]).await
}

pub(super) async fn each_refusal(cx: Context) -> Outcome {
    let pending = refusal(&cx, "authorization_pending");
    ensure_waits(
        &cx,
        device_answer(),
        vec![pending.clone(), cx.token_reply(TOKEN)],
        &[5, 5],
    )
    .await?;
    for code in [
        "access_denied",
        "expired_token",
        "invalid_grant",
        "invalid_client",
        "unauthorized_client",
    ] {
        let replies = [pending.clone(), refusal(&cx, code), cx.token_reply(TOKEN)];
        let (server, client, device) = started(&cx, device_answer(), replies).await?;
        let result = client.poll_device(&device).await;
        let got = result
            .as_ref()
            .err()
            .and_then(|error| error.code().cloned());
        ensure!(
            got == Some(ErrorCode::new(code)),
            "sent {code}, expected it as the result, got {result:?}"
        );
        let polls = server.received().len() - 1;
        ensure!(
            polls == 2,
            "sent {code} to the second poll, expected no third, got {polls} polls"
        );
    }
    Ok(())
}

pub(super) async fn backs_off(cx: Context) -> Outcome {
    let replies = [
        Reply::json(200, &device_answer()),
        Reply::silence(),
        Reply::silence(),
        Reply::close(),
        Reply::close(),
        Reply::close(),
        cx.token_reply(TOKEN),
    ];
    let server = cx.scripted(replies).await?;
    let limits = Limits::default().with_total(Duration::from_millis(300));
    // The short limit is for the polls alone: what comes before them may take its time.
    let device = cx.client(server.base_url())?;
    let device = device.device_authorization(None).await?;
    let client = cx.builder(server.base_url())?.limits(limits).build()?;
    client.poll_device(&device).await?;
    let waits = cx.clock().sleeps();
    let longest = Duration::from_secs(60);
    let doubled = waits
        .windows(2)
        .all(|pair| pair[1] == (pair[0] * 2).min(longest));
    // On a slow machine the last answer may come too late as well.
    ensure!(
        doubled && waits.len() >= 6,
        "the server said nothing five times, expected waits doubled up to {longest:?}, got {waits:?}"
    );
    Ok(())
}

pub(super) async fn deadline(cx: Context) -> Outcome {
    let pending = refusal(&cx, "authorization_pending");
    let answer = device_answer_with("expires_in", json!(60));
    let (server, client, device) = started(&cx, answer, [pending]).await?;
    let begun = cx.clock().monotonic();
    // Somebody sets the wall clock back: the deadline is none of its.
    cx.clock().set(SystemTime::UNIX_EPOCH);
    let result = client.poll_device(&device).await;
    let code = result
        .as_ref()
        .err()
        .and_then(|error| error.code().cloned());
    ensure!(
        code == Some(ErrorCode::ExpiredToken),
        "the code lived 60 s and the answer stayed pending, expected expired_token, got {result:?}"
    );
    let elapsed = cx.clock().monotonic().saturating_sub(begun);
    let polls = server.received().len() - 1;
    ensure!(
        elapsed <= Duration::from_secs(60) && (10..=12).contains(&polls),
        "the code lived 60 s with 5 s between polls, expected the end within it, got {elapsed:?} and {polls} polls"
    );
    Ok(())
}

pub(super) async fn retry_after(cx: Context) -> Outcome {
    let page = |status: u16| {
        Reply::new(status)
            .header("Content-Type", "text/html")
            .body("<html>wait</html>")
    };
    let replies = vec![
        page(503).header("Retry-After", "30"),
        page(429).header("Retry-After", "2"),
        page(503),
        page(429).header("Retry-After", "11"),
        cx.token_reply(TOKEN),
    ];
    ensure_waits(&cx, device_answer(), replies, &[5, 30, 5, 5, 11]).await
}

/// A clock whose sleeps after the first few never end.
#[derive(Debug)]
struct Stuck {
    clock: ManualClock,
    sleeps: usize,
    asleep: watch::Sender<bool>,
}

#[async_trait]
impl Clock for Stuck {
    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
        if self.clock.sleeps().len() > self.sleeps {
            self.asleep.send_replace(true);
            std::future::pending::<()>().await;
        }
    }
}

pub(super) async fn dropped(cx: Context) -> Outcome {
    let pending = refusal(&cx, "authorization_pending");
    let ok = cx.token_reply(TOKEN);
    let device_reply = Reply::json(200, &device_answer());

    // Between two polls.
    let server = cx
        .scripted([
            device_reply.clone(),
            pending.clone(),
            pending.clone(),
            ok.clone(),
        ])
        .await?;
    let (asleep, mut fell_asleep) = watch::channel(false);
    let clock = Stuck {
        clock: cx.clock().clone(),
        sleeps: 2,
        asleep,
    };
    let client = cx
        .builder(server.base_url())?
        .clock(Arc::new(clock))
        .retry(RetryPolicy::none())
        .build()?;
    let device = client.device_authorization(None).await?;
    tokio::select! {
        result = client.poll_device(&device) => {
            ensure!(false, "the third wait never ends, expected no result, got {result:?}");
        }
        _ = fell_asleep.wait_for(|asleep| *asleep) => {}
    }
    // If anything polled on, it would come before or beside this.
    client.exchange(&ClientCredentials::new()).await?;
    let count = server.received().len();
    ensure!(
        count == 4,
        "dropped the polling after 2 polls, expected none after it, got {} more",
        count - 4
    );

    // In the middle of a poll.
    let server = cx
        .scripted([device_reply, pending, Reply::silence(), ok])
        .await?;
    let client = cx.client(server.base_url())?;
    let device = client.device_authorization(None).await?;
    tokio::select! {
        result = client.poll_device(&device) => {
            ensure!(false, "the second poll has no answer, expected no result, got {result:?}");
        }
        came = arrived(&server, 3) => came?,
    }
    client.exchange(&ClientCredentials::new()).await?;
    let count = server.received().len();
    ensure!(
        count == 4,
        "dropped the polling in its second poll, expected none after it, got {} more",
        count - 4
    );
    Ok(())
}
