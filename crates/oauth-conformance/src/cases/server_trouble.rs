//! E1: what a token request meets when the server's own parts fail. Each look at the records fails
//! in turn, until none is left to fail.

use serde_json::{Value, json};

use super::server::{Tested, VERIFIER, granted, member, pair, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::Answer,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-15" [Counterpart, Server] => fault_inside,
    "STK-16" [Counterpart, Server] => store_down,
};

/// More looks at the records than any grant takes.
const MOST_LOOKS: u32 = 30;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn fault_inside(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    each_look_fails(&tested, "panic", |sent, answer| {
        refused(sent, answer, &[500], &["server_error"])?;
        let text = answer.text().to_lowercase();
        let detail = ["panic", "scripted", ".rs", "stack", "trace"]
            .into_iter()
            .find(|word| text.contains(word));
        ensure!(
            detail.is_none(),
            "sent {sent}, expected no detail, got {text}"
        );
        Ok(())
    })
    .await
}

async fn store_down(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    each_look_fails(&tested, "store_down", |sent, answer| {
        refused(
            sent,
            answer,
            &[503],
            &["temporarily_unavailable", "server_error"],
        )?;
        let wait = answer.header("retry-after");
        ensure!(
            wait.is_some(),
            "sent {sent}, expected Retry-After, got none"
        );
        Ok(())
    })
    .await
}

/// Sends every grant again and again, each time with the next look at the records failing, and
/// puts every answer to `check` until one is a 200. No answer but that one may leave a token.
async fn each_look_fails(
    tested: &Tested,
    server: &str,
    check: impl Fn(&str, &Answer) -> Outcome,
) -> Outcome {
    let set = tested.set();
    let client = &set.confidential;
    let (_, refresh) = tested.user_tokens(client).await?;
    for grant in [
        "client_credentials",
        "refresh_token",
        "authorization_code",
        DEVICE,
    ] {
        let mut done = false;
        for after in 0..MOST_LOOKS {
            // A refresh token must outlive every failure. A code may be spent by one.
            let credential = match grant {
                "refresh_token" => refresh.clone(),
                "authorization_code" => tested.code(client).await?,
                DEVICE => approved_device(tested).await?,
                _ => String::new(),
            };
            let form = match grant {
                "refresh_token" => vec![("refresh_token", credential.as_str())],
                "authorization_code" => vec![
                    ("code", credential.as_str()),
                    ("redirect_uri", &set.redirect_uri),
                    ("code_verifier", VERIFIER),
                ],
                DEVICE => vec![("device_code", credential.as_str())],
                _ => vec![],
            };
            let form = [&form[..], &[("grant_type", grant)]].concat();
            let before = stored_tokens(tested).await?;
            let fault = json!({"server": server, "after": after, "path": set.token});
            tested.control().fault(fault).await?;
            let answer = tested.token_as(client, &form).await?;
            if answer.status() == 200 {
                ensure!(
                    after > 0,
                    "sent {grant} with {server} at once, expected a failure, got a token"
                );
                member(&answer.json()?, "access_token")?;
                done = true;
                break;
            }
            let sent = format!("{grant} with {server} after {after} looks");
            check(&sent, &answer)?;
            let after = stored_tokens(tested).await?;
            ensure!(
                before == after,
                "sent {sent}, expected no token stored, but the tokens changed"
            );
        }
        ensure!(
            done,
            "sent {grant} with {server} after up to {MOST_LOOKS} looks, expected success in the end"
        );
    }
    let (_, refresh) = tested.user_tokens(client).await?;
    pair(&granted(
        "a refresh once all is well",
        &tested.refresh(client, &refresh).await?,
    )?)
    .map(|_| ())
}

async fn approved_device(tested: &Tested) -> Result<String, Failure> {
    let set = tested.set();
    let started = tested
        .post_as(&set.device_authorization, &set.confidential, &[])
        .await?;
    let started = granted("a device authorization", &started)?;
    tested
        .control()
        .device(member(&started, "user_code")?, "approve")
        .await?;
    Ok(member(&started, "device_code")?.to_owned())
}

async fn stored_tokens(tested: &Tested) -> Result<Value, Failure> {
    let store: Value = serde_json::from_str(&tested.control().store().await?)
        .map_err(|_| Failure::new("the store's dump is no JSON"))?;
    ensure!(
        store["access_tokens"].is_object() || store["access_tokens"].is_array(),
        "expected the stored tokens, got {store}"
    );
    Ok(store["access_tokens"].clone())
}
