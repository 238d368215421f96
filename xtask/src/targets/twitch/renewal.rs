//! The row about API calls that are refused (RFC 6750 §3.1), in Twitch's own words.

use oauth_conformance::{Case, Context, Outcome, Received, Reply, cases, ensure};
use oauth_core::{Error, Token};
use serde_json::json;
use twitch::UserToken;

use super::{
    confidential,
    expect::refused,
    helix::{get, refusal, user, validation},
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-92" [] => one_renewal_one_retry,
};

const DEAD: &str = "Invalid OAuth token";
const VALIDATE: &str = "/oauth2/validate";
const USERS: &str = "/helix/users";
const TOKEN: &str = "/oauth2/token";

/// What comes after the validation; the requests, the status in the end, how many new tokens.
type Row = (
    &'static str,
    Vec<Reply>,
    &'static [&'static str],
    u16,
    usize,
);

/// A dead token is renewed once, and the call made once more; nothing else is a reason to.
async fn one_renewal_one_retry(cx: Context) -> Outcome {
    let users = || Reply::json(200, &json!({"data": [{"login": "demo"}]}));
    let dead_session = cx.refusal("invalid_grant")?;
    let rows: [Row; 6] = [
        (
            "401, then a new token that works",
            vec![refusal(401, DEAD), cx.token_reply("new"), users()],
            &[VALIDATE, USERS, TOKEN, USERS],
            200,
            1,
        ),
        (
            "401 to the new token as well",
            vec![
                refusal(401, DEAD),
                cx.token_reply("new"),
                refusal(401, DEAD),
            ],
            &[VALIDATE, USERS, TOKEN, USERS],
            401,
            1,
        ),
        (
            "401, then a refresh that is refused",
            vec![refusal(401, DEAD), dead_session],
            &[VALIDATE, USERS, TOKEN],
            400,
            0,
        ),
        (
            "403",
            vec![refusal(403, "User does not have permission")],
            &[VALIDATE, USERS],
            403,
            0,
        ),
        (
            "403 in the words of a dead token",
            vec![refusal(403, DEAD)],
            &[VALIDATE, USERS],
            403,
            0,
        ),
        (
            "403 with a challenge",
            vec![Reply::new(403).header("WWW-Authenticate", "Bearer error=\"insufficient_scope\"")],
            &[VALIDATE, USERS],
            403,
            0,
        ),
    ];
    for (sent, replies, paths, status, renewals) in rows {
        let server = cx.scripted([vec![validation()], replies].concat()).await?;
        let client = confidential(&cx, server.base_url())?;
        let mut token = user(&client).await?;
        let mut stored = Vec::new();
        let store = async |new: UserToken| {
            stored.push(new.access_token().expose_secret().to_owned());
            Ok::<_, Error>(())
        };
        let request = get(&client, "users?login=demo")?;
        let result = client.token_refresh_step(request, &mut token, store).await;
        let got = match result {
            Ok(answer) => Some(answer.status()),
            failed => refused(sent, failed)?.status(),
        };
        ensure!(
            got.is_some_and(|got| got == status),
            "{sent}: expected {status} in the end, got {got:?}"
        );
        let received = server.received();
        let got: Vec<_> = received.iter().map(Received::path).collect();
        ensure!(
            got == paths,
            "{sent}: expected the requests {paths:?}, got {got:?}"
        );
        let bearers: Vec<_> = received
            .iter()
            .filter(|call| call.path() == USERS)
            .map(|call| (call.target(), call.header("authorization")))
            .collect();
        let url = "/helix/users?login=demo";
        let expected = [(url, Some("Bearer at")), (url, Some("Bearer new"))];
        ensure!(
            bearers == expected[..=renewals],
            "{sent}: expected the calls {:?}, got {bearers:?}",
            &expected[..=renewals]
        );
        let kept = token.access_token().expose_secret();
        ensure!(
            stored == ["new"][..renewals] && kept == ["at", "new"][renewals],
            "{sent}: expected {renewals} new tokens to be stored and kept, got {stored:?} and {kept}"
        );
        let grants: Vec<_> = received
            .iter()
            .filter(|call| call.path() == TOKEN)
            .map(|call| call.param("grant_type"))
            .collect();
        ensure!(
            grants
                .iter()
                .all(|grant| grant.as_deref() == Some("refresh_token")),
            "{sent}: expected a refresh, got {grants:?}"
        );
    }
    Ok(())
}
