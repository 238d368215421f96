//! D1: failures of the server and of the store, as nobody should notice them.

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    ErrorKind,
    store::Subject,
};
use serde_json::json;

use super::{
    setting::{BACK_OFF, MINUTE, Setting, fails, gives},
    store::Op,
};
use crate::{Case, Context, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "TM-20" [Can(ClientCredentials), Can(Refresh)] => a_store_that_is_down,
    "TM-21" [Can(ClientCredentials)] => errors_are_no_tokens,
};

async fn a_store_that_is_down(cx: Context) -> Outcome {
    for down in [
        &[Op::Load][..],
        &[Op::Save],
        &[Op::Lease],
        &[Op::Release],
        &[Op::Load, Op::Save, Op::Lease, Op::Release],
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        at.store.fail(down);
        for _ in 0..2 {
            let got = tokens.get(&Subject::Client, None).await;
            gives(got, "client.a1", &format!("{down:?} of the store fail"))?;
        }
        gives(tokens.get(&user, None).await, "user.a0", "from memory")?;
        at.came(1, &format!("{down:?} of the store fail"))?;
        at.expire();
        gives(
            tokens.get(&user, None).await,
            "user.a2",
            "a refresh without the store",
        )?;
        let sent = at.sent();
        ensure!(
            sent == ["user.r0"],
            "{down:?} of the store fail, expected a refresh all the same, got {sent:?}"
        );
    }
    // What only the store knows is not taken for lost.
    let at = Setting::new(&cx).await?;
    let user = at.session(&at.manager()?).await?;
    let restarted = at.manager()?;
    at.store.fail(&[Op::Load]);
    let error = fails(restarted.get(&user, None).await, "only the store knows")?;
    ensure!(
        error.kind() == ErrorKind::Store && !error.needs_reauthorization(),
        "a token that only the store has, and it is down, expected its error, got {error:?}"
    );
    at.store.fail(&[]);
    at.clock.advance(MINUTE);
    gives(restarted.get(&user, None).await, "user.a0", "it is back")
}

async fn errors_are_no_tokens(cx: Context) -> Outcome {
    for (sent, reply, back_off) in [
        ("503", Reply::new(503), BACK_OFF),
        ("500", Reply::new(500), BACK_OFF),
        ("no answer", Reply::close(), BACK_OFF),
        ("404", Reply::new(404), MINUTE),
        (
            "a login page",
            Reply::new(200)
                .header("Content-Type", "text/html")
                .body("<form>"),
            MINUTE,
        ),
        (
            "200 with an error",
            Reply::json(200, &json!({"error": "invalid_request"})),
            MINUTE,
        ),
        (
            "no access_token",
            cx.token_reply_without("access_token"),
            MINUTE,
        ),
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        at.server.reply(reply);
        fails(tokens.get(&Subject::Client, None).await, sent)?;
        let kept = at.stored(&tokens, &Subject::Client).await?;
        ensure!(
            tokens.is_empty() && kept.is_empty(),
            "met {sent}, expected nothing to be kept, got {kept:?}"
        );
        fails(tokens.get(&Subject::Client, None).await, sent)?;
        let handle = tokens.source(&Subject::Client, None);
        fails(handle.header().await, sent)?;
        at.came(1, &format!("met {sent}, within the back-off"))?;
        // Another key has nothing to do with it, and another process knows nothing of it.
        let (one, _) = at.scopes()?;
        tokens.get(&Subject::Client, Some(&one)).await?;
        at.came(2, &format!("met {sent}, another key"))?;
        at.clock.advance(back_off);
        let all = cx.credentials().scopes;
        tokens.get(&Subject::Client, Some(&all)).await?;
        let any = tokens.get(&Subject::Client, None).await;
        ensure!(
            any.is_ok(),
            "met {sent}, after the back-off, expected a token, got {any:?}"
        );
    }
    // Back-off grows with each failure in a row, up to a minute, and a success ends it.
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    for failures in 1..=8 {
        at.server.reply(Reply::new(503));
        fails(tokens.get(&Subject::Client, None).await, "503")?;
        at.came(failures, "503 in a row")?;
        // At least half of what it has grown to.
        let least = BACK_OFF * (1 << (failures - 1)).min(60) / 2;
        at.clock.advance(least - std::time::Duration::from_nanos(1));
        fails(
            tokens.get(&Subject::Client, None).await,
            "within the back-off",
        )?;
        at.came(failures, "within a grown back-off")?;
        at.clock.advance(MINUTE);
    }
    tokens.get(&Subject::Client, None).await?;
    at.came(9, "a minute after the eighth 503")
}
