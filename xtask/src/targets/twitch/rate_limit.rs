//! The row about the budget of API calls.

use std::time::{Duration, UNIX_EPOCH};

use oauth_conformance::{Case, Context, Need, Outcome, Reply, cases, ensure};
use serde_json::json;
use twitch::helix::RateLimit;

use super::{
    confidential,
    expect::{count, refused, transient},
    helix::get,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-06" [Need::Counterpart] => wait_until_the_reset,
};

/// `Ratelimit-Reset` is a Unix time and not a wait. A clock that is wrong by hours makes no wait of
/// hours.
async fn wait_until_the_reset(cx: Context) -> Outcome {
    let now = cx
        .now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let limited = |reset: u64| {
        Reply::new(429)
            .header("Ratelimit-Limit", "800")
            .header("Ratelimit-Remaining", "0")
            .header("Ratelimit-Reset", &reset.to_string())
    };
    let fine = || {
        Reply::json(200, &json!({"data": []}))
            .header("Ratelimit-Limit", "800")
            .header("Ratelimit-Remaining", "799")
            .header("Ratelimit-Reset", &(now + 2).to_string())
    };
    let server = cx
        .scripted([cx.token_reply("at"), limited(now + 2), fine()])
        .await?;
    let client = confidential(&cx, server.base_url())?;
    let token = client.app_token().await?;
    let answer = client
        .helix(get(&client, "users?login=twitchdev")?, &token)
        .await?;
    let waits = cx.clock().sleeps();
    ensure!(
        waits == [Duration::from_secs(2)],
        "429 with a reset in 2 s: expected a wait of 2 s, got {waits:?}"
    );
    let limit = RateLimit::from_headers(answer.headers());
    let got = limit.map(|limit| (limit.limit(), limit.remaining()));
    ensure!(
        got == Some((Some(800), Some(799))),
        "an answer with a budget: expected 799 of 800, got {got:?}"
    );

    // The wait has moved the clock by 2 s.
    for (reset, expected) in [(now + 52, 50), (now + 86_400, 60), (now - 9, 0)] {
        let server = cx.scripted([cx.token_reply("at"), limited(reset)]).await?;
        let client = confidential(&cx, server.base_url())?;
        let token = client.app_token().await?;
        let mut post = get(&client, "polls")?;
        *post.method_mut() = http::Method::POST;
        let sent = format!("a POST answered with 429 and the reset {reset}");
        let error = refused(&sent, client.helix(post, &token).await)?;
        transient(&sent, &error)?;
        let wait = error.retry_after();
        ensure!(
            wait == Some(Duration::from_secs(expected)),
            "{sent}: expected a wait of {expected} s, got {wait:?}"
        );
        count(&sent, &server, 2)?;
    }
    for status in [500, 502, 503, 504] {
        let server = cx.scripted([Reply::new(status)]).await?;
        let sent = format!("an app token answered with {status}");
        let client = confidential(&cx, server.base_url())?;
        transient(&sent, &refused(&sent, client.app_token().await)?)?;
    }

    let counterpart = cx.counterpart().await?;
    let control = counterpart.control();
    control.post("switches", &json!({"rate_limit": 1})).await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let token = client.app_token().await?;
    client
        .helix(get(&client, "users?login=demo")?, &token)
        .await?;
    let sent = "a second call with a budget of one";
    let call = client.helix(get(&client, "users?login=demo")?, &token);
    transient(sent, &refused(sent, call.await)?)?;
    control.advance(60).await?;
    client
        .helix(get(&client, "users?login=demo")?, &token)
        .await?;
    Ok(())
}
