//! C1: many callers, one request.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    Capability::RefreshToken as Refresh, Error, ErrorKind, Limits, TokenManager, Transport,
    TransportError, manager::ManagedToken, store::Subject,
};
use tokio::task::JoinHandle;

use super::setting::{BACK_OFF, MINUTE, Setting, caller, ended, fails, gives, settle};
use crate::{Case, Context, Need::Can, Outcome, Reply, WatchedTransport, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-06" [Can(Refresh)] => one_request,
    "REF-07" [Can(Refresh)] => a_cancelled_leader,
    "REF-08" [Can(Refresh)] => a_panicking_leader,
    "REF-09" [Can(Refresh)] => a_shared_failure,
    "REF-30" [Can(Refresh)] => clones,
};

fn callers(
    tokens: &TokenManager,
    user: &Subject,
    count: usize,
) -> Vec<JoinHandle<Result<ManagedToken, Error>>> {
    (0..count).map(|_| caller(tokens, user)).collect()
}

async fn one_request(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let user = at.session(&tokens).await?;
        for round in ["user.a1", "user.a2", "user.a3"] {
            at.expire();
            at.server.hold();
            let waiting = callers(&tokens, &user, 1000);
            settle().await;
            at.server.go();
            for caller in waiting {
                gives(ended(caller).await?, round, "one of 1,000 callers")?;
            }
        }
        at.came(3, "1,000 callers, three times")?;
    }
    Ok(())
}

async fn a_cancelled_leader(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.server.hold();
    let leader = caller(&tokens, &user);
    at.server.until(1).await?;
    let follower = caller(&tokens, &user);
    settle().await;
    leader.abort();
    let cancelled = leader.await.is_err_and(|error| error.is_cancelled());
    ensure!(
        cancelled,
        "expected the leading caller to be gone, it ended"
    );
    let late = caller(&tokens, &user);
    settle().await;
    at.server.go();
    for caller in [follower, late] {
        let did = "the leading caller was cancelled";
        gives(ended(caller).await?, "user.a1", did)?;
    }
    at.came(1, "the leading caller was cancelled")?;

    // The only caller: nobody is left, and nothing is lost.
    at.expire();
    at.server.hold();
    let only = caller(&tokens, &user);
    at.server.until(2).await?;
    only.abort();
    let _ = only.await;
    at.server.go();
    at.comes_to_hold(&tokens, &user, "user.r2", "an answer to nobody")
        .await?;
    gives(tokens.get(&user, None).await, "user.a2", "asked once more")?;
    at.came(2, "the only caller was cancelled")
}

/// A transport that panics as often as it is told to, after the server has answered or before.
#[derive(Debug, Clone)]
struct Panicking {
    inner: WatchedTransport,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Panicking {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(SeqCst, SeqCst, one_less).is_ok() {
            settle().await;
            // Without a word on standard error: it is meant.
            std::panic::resume_unwind(Box::new("a panic of the suite"));
        }
        self.inner.send(request, limits).await
    }
}

async fn a_panicking_leader(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let transport = Panicking {
        inner: cx.transport(),
        left: Arc::new(AtomicUsize::new(0)),
    };
    let builder = cx.builder(at.server.base_url())?;
    let client = builder
        .clock(Arc::new(at.clock.clone()))
        .transport(transport.clone())
        .build()?;
    for stored in [false, true] {
        let builder = TokenManager::builder(client.clone());
        let tokens = match stored {
            true => builder.store(at.store.clone()).build(),
            false => builder.build(),
        };
        let name = if stored { "stored" } else { "user" };
        let user = Subject::user(name);
        tokens.register(&user, at.token(name)?).await?;
        at.expire();
        let before = at.asked().len();
        transport.left.store(usize::MAX, SeqCst);
        let waiting = callers(&tokens, &user, 20);
        if stored {
            // The one that died has the lease until it runs out.
            at.clock.asleep(|count| *count > 0).await?;
            transport.left.store(0, SeqCst);
            at.clock.advance(MINUTE);
        }
        for caller in waiting {
            let result = ended(caller).await?;
            ensure!(
                stored || result.is_err(),
                "every leader panics, expected an error, got {result:?}"
            );
        }
        transport.left.store(0, SeqCst);
        let result = tokens.get(&user, None).await;
        ensure!(
            result.is_ok(),
            "no leader panics any more, expected a token, got {result:?}"
        );
        at.came(before + 1, "no leader panics any more")?;

        // One panic: whoever waits takes over, or is told.
        at.expire();
        transport.left.store(1, SeqCst);
        let waiting = callers(&tokens, &user, 20);
        if stored {
            at.clock.asleep(|count| *count > 0).await?;
            at.clock.advance(MINUTE);
        }
        for caller in waiting {
            let _ = ended(caller).await?;
        }
        let result = tokens.get(&user, None).await;
        ensure!(
            result.is_ok(),
            "one leader panicked, expected a token, got {result:?}"
        );
        at.came(before + 2, "one leader panicked")?;
    }
    Ok(())
}

async fn a_shared_failure(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.server.hold();
    at.server.reply(Reply::new(503));
    let waiting = callers(&tokens, &user, 50);
    at.server.until(1).await?;
    settle().await;
    at.server.go();
    let mut failures = Vec::new();
    for caller in waiting {
        failures.push(fails(ended(caller).await?, "one of 50 callers, met 503")?);
    }
    failures.push(fails(tokens.get(&user, None).await, "right after a 503")?);
    let same = failures
        .iter()
        .all(|error| error.kind() == ErrorKind::Server);
    ensure!(
        same,
        "50 callers and one after them, met 503, expected its error for all, got {failures:?}"
    );
    at.came(1, "50 callers and one after them, met 503")?;
    at.clock.advance(BACK_OFF);
    gives(
        tokens.get(&user, None).await,
        "user.a1",
        "a second after a 503",
    )?;
    at.came(2, "a second after a 503")
}

async fn clones(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let one = at.in_memory()?;
    let (two, three) = (one.clone(), one.with_client(at.client()?));
    let user = at.session(&one).await?;
    let handle = two.source(&user, None);
    at.expire();
    at.server.hold();
    let waiting = [&one, &two, &three].map(|tokens| caller(tokens, &user));
    let by_handle = tokio::spawn({
        let handle = handle.clone();
        async move { handle.token().await }
    });
    at.server.until(1).await?;
    settle().await;
    at.server.go();
    for caller in waiting {
        gives(ended(caller).await?, "user.a1", "one of three managers")?;
    }
    gives(ended(by_handle).await?, "user.a1", "a handle of a clone")?;
    at.came(1, "three managers of one session")?;
    let token = one.get(&user, None).await?;
    two.invalidate(&user, &token.access_token()).await?;
    ensure!(
        handle.try_header().is_none(),
        "invalidated through a clone, expected the handle to know, it does not"
    );
    gives(three.get(&user, None).await, "user.a2", "invalidated")?;
    gives(one.get(&user, None).await, "user.a2", "invalidated")?;
    one.clear(&user).await?;
    ensure!(
        two.is_empty() && three.is_empty(),
        "cleared through a clone, expected nothing in any, got {two:?}"
    );
    Ok(())
}
