//! The row about API calls that are refused (RFC 6750 §3.1).

use oauth_conformance::{Case, Context, Outcome, Reply, cases, ensure};
use serde_json::json;

use super::{
    api::{CONTACTS, contacts},
    came, client, message, order, token,
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-92" [] => one_renewal_one_retry,
};

/// After a 401 a new token is asked for once, and the call made once more; after a 403 neither.
async fn one_renewal_one_retry(cx: Context) -> Outcome {
    let challenge = |status, code| {
        Reply::new(status).header("WWW-Authenticate", &format!("Bearer error=\"{code}\""))
    };
    let dead = || challenge(401, "invalid_token");
    let rows = || Reply::json(200, &json!([{}]));
    let renewed = ["password", CONTACTS, "password", CONTACTS];
    // What comes after the first token; whether the call works in the end; the requests.
    let table: [(&str, Vec<Reply>, bool, &[&str]); 6] = [
        (
            "401, then a new token that works",
            vec![dead(), token("t2"), rows()],
            true,
            &renewed,
        ),
        (
            "401 to the new token as well",
            vec![dead(), token("t2"), dead(), token("t3"), rows()],
            false,
            &renewed,
        ),
        (
            "an empty 401 to both",
            vec![Reply::new(401), token("t2"), Reply::new(401), token("t3")],
            false,
            &renewed,
        ),
        (
            "401, then no new token",
            vec![dead(), cx.refusal("invalid_grant")?, rows()],
            false,
            &renewed[..3],
        ),
        (
            "403 with a challenge",
            vec![challenge(403, "insufficient_scope"), token("t2"), rows()],
            false,
            &renewed[..2],
        ),
        (
            "403 with a message",
            vec![message(403, "Access denied."), token("t2"), rows()],
            false,
            &renewed[..2],
        ),
    ];
    for (sent, replies, works, requests) in table {
        let server = cx.scripted([vec![token("t1")], replies].concat()).await?;
        let result = contacts(&client(&cx, server.base_url())?.api()).await;
        ensure!(
            result.is_ok() == works,
            "{sent}: expected success {works}, got {result:?}"
        );
        let received = server.received();
        came(sent, &order(&received), requests)?;
        let bearers: Vec<_> = received
            .iter()
            .filter_map(|call| call.header("authorization"))
            .collect();
        let calls = requests.iter().filter(|path| **path == CONTACTS).count();
        ensure!(
            bearers == ["Bearer t1", "Bearer t2"][..calls],
            "{sent}: expected each token to be used once, got {bearers:?}"
        );
    }
    Ok(())
}
