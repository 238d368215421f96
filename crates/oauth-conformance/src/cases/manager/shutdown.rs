//! C1: an orderly end.

use std::time::Duration;

use oauth_core::Capability::RefreshToken as Refresh;

use super::{
    setting::{LIFE, Setting, caller, ended, gives, settle},
    store::Op,
};
use crate::{Case, Context, Need::Can, Outcome, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-29" [Can(Refresh)] => awaited_within_a_bound,
};

async fn awaited_within_a_bound(cx: Context) -> Outcome {
    let limit = Duration::from_secs(10);
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let shutdown = || {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.shutdown(limit).await })
    };
    at.expire();
    at.server.hold();
    let waiting = caller(&tokens, &user);
    at.server.until(1).await?;
    let stopping = shutdown();
    at.clock.asleep(|count| *count > 0).await?;
    settle().await;
    ensure!(
        !stopping.is_finished(),
        "a shutdown during a renewal, expected it to wait, it ended"
    );
    at.server.go();
    let left = ended(stopping).await?;
    ensure!(
        left == 0,
        "a shutdown during a renewal, expected all to be stored, got {left} unsaved"
    );
    at.holds(&tokens, &user, &["user.r1"], "a shutdown during a renewal")
        .await?;
    gives(ended(waiting).await?, "user.a1", "a caller at a shutdown")?;

    // The server does not answer: the bound holds.
    at.expire();
    at.server.hold();
    let _waiting = caller(&tokens, &user);
    at.server.until(2).await?;
    let stopping = shutdown();
    at.clock.asleep(|count| *count > 0).await?;
    at.clock.advance(limit);
    ended(stopping).await?;

    // What could not be stored is tried once more, and counted.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.clock.advance(LIFE);
    at.store.fail(&[Op::Save]);
    tokens.get(&user, None).await?;
    let left = tokens.shutdown(limit).await;
    ensure!(
        left == 1,
        "a shutdown while the store is down, expected one unsaved, got {left}"
    );
    at.store.fail(&[]);
    let left = tokens.shutdown(limit).await;
    ensure!(
        left == 0,
        "a shutdown while the store is up, expected none unsaved, got {left}"
    );
    at.holds(&tokens, &user, &["user.r1"], "a shutdown").await
}
