//! E1 and E5: what becomes of grants and of what is stored when somebody goes, or the process does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::server::{Tested, VERIFIER, granted, member, pair, refused, shown};
use super::server_browser::device;
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-25" [Counterpart, Server] => killed_while_issuing,
    "SRT-06" [Counterpart, Server] => grace,
    "SRT-10" [Counterpart, Server] => ends,
    "SRT-11" [Counterpart, Server] => gone,
    "SRT-12" [Counterpart, Server] => killed_while_rotating,
    "SRT-16" [Counterpart, Server] => family_records,
};

const GRANT: &[&str] = &["invalid_grant"];

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// More looks at the records than any grant takes.
const MOST_LOOKS: u32 = 30;

const YEAR: i64 = 366 * 24 * 3600;

/// The records of one kind in the store, as texts.
async fn stored(tested: &Tested, kind: &str) -> Result<BTreeSet<String>, Failure> {
    Ok(records(tested, kind)
        .await?
        .iter()
        .map(Value::to_string)
        .collect())
}

async fn records(tested: &Tested, kind: &str) -> Result<Vec<Value>, Failure> {
    let store: Value = serde_json::from_str(&tested.control().store().await?)
        .map_err(|_| Failure::new("the store's dump is no JSON"))?;
    let records = store["access_tokens"][kind].as_array().cloned();
    records.ok_or_else(|| Failure::new(format!("the store's dump has no {kind}")))
}

/// The process dies at each look at the records in turn, whatever is being redeemed. The records
/// are what is left.
async fn killed_while_issuing(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    for grant in [
        "authorization_code",
        "refresh_token",
        DEVICE,
        "client_credentials",
    ] {
        let mut killed = 0;
        for after in 0..=MOST_LOOKS {
            let credential = match grant {
                "authorization_code" => tested.code(client).await?,
                "refresh_token" => tested.user_tokens(client).await?.1,
                DEVICE => approved(&tested, client).await?,
                _ => String::new(),
            };
            let form = match grant {
                "authorization_code" => vec![
                    ("code", credential.as_str()),
                    ("redirect_uri", &set.redirect_uri),
                    ("code_verifier", VERIFIER),
                ],
                "refresh_token" => vec![("refresh_token", credential.as_str())],
                DEVICE => vec![("device_code", credential.as_str())],
                _ => vec![],
            };
            let form = [&form[..], &[("grant_type", grant)]].concat();
            let before = stored(&tested, "access_tokens").await?;
            let sent = format!("{grant}, killed after {after} looks");
            if let Some(answer) = killed_at(&tested, client, &form, after).await? {
                granted(&sent, &answer)?;
                break;
            }
            ensure!(
                after < MOST_LOOKS,
                "sent {sent}, expected success in the end"
            );
            killed += 1;
            let after = stored(&tested, "access_tokens").await?;
            let issued = after.difference(&before).count();
            ensure!(
                issued <= 1,
                "sent {sent}, expected at most one token stored, got {issued}"
            );
            if grant == "client_credentials" {
                continue;
            }
            // After a restart: unused and good once, or used.
            let again = tested.token_as(client, &form).await?;
            match again.status() {
                200 => ensure!(
                    issued == 0,
                    "sent {sent}, expected it used up by the token that is stored, got another"
                ),
                _ => refused(&format!("{sent}, then again"), &again, &[400], GRANT)?,
            }
            let third = tested.token_as(client, &form).await?;
            refused(&format!("{sent}, then twice more"), &third, &[400], GRANT)?;
            if let Ok(tokens) = again.json()
                && let Some(access) = tokens["access_token"].as_str()
            {
                // It came back after its use, which ends the grant.
                tested.all_dead(&sent, &[access]).await?;
            }
        }
        ensure!(
            killed >= 2,
            "killed the server during {grant}, expected it at two looks at least, got {killed}"
        );
    }
    tested.still_serves().await
}

/// A token request whose server dies at the look after so many; none if it did.
async fn killed_at(
    tested: &Tested,
    client: &ServerClient,
    form: &[(&str, &str)],
    after: u32,
) -> Result<Option<crate::wire::Answer>, Failure> {
    let fault = json!({ "server": "killed", "after": after, "path": tested.set().token });
    tested.control().fault(fault).await?;
    // Without an answer the connection is closed, which is all that a client sees.
    Ok(tested.token_as(client, form).await.ok())
}

async fn approved(tested: &Tested, client: &ServerClient) -> Result<String, Failure> {
    let (device_code, user_code) = device(tested, client).await?;
    tested.control().device(&user_code, "approve").await?;
    Ok(device_code)
}

async fn killed_while_rotating(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let mut kept = 0;
    for after in 0..=MOST_LOOKS {
        let others = live_refresh_tokens(&tested).await?;
        let (_, refresh) = tested.user_tokens(client).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let sent = format!("a refresh, killed after {after} looks");
        let answer = killed_at(&tested, client, &form, after).await?;
        // Never none of them, never both.
        let live = live_refresh_tokens(&tested).await? - others;
        ensure!(
            live == 1,
            "sent {sent}, expected one live refresh token of the family, got {live}"
        );
        let old = tested.introspect_as(client, &refresh).await?["active"] == true;
        if let Some(answer) = answer {
            pair(&granted(&sent, &answer)?)?;
            ensure!(
                !old,
                "refreshed, expected the old one consumed, got it active"
            );
            break;
        }
        ensure!(
            after < MOST_LOOKS,
            "sent {sent}, expected success in the end"
        );
        if old {
            kept += 1;
            pair(&granted(
                "the old one after it",
                &tested.refresh(client, &refresh).await?,
            )?)?;
        }
    }
    ensure!(
        kept >= 2,
        "killed the server during a refresh, expected it before the exchange twice, got {kept}"
    );
    Ok(())
}

async fn live_refresh_tokens(tested: &Tested) -> Result<usize, Failure> {
    let all = records(tested, "refresh_tokens").await?;
    Ok(all.iter().filter(|it| it["consumed"] == false).count())
}

async fn gone(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let control = tested.control();
    let of_client = format!("grants?client_id={}", client.id);
    for what in ["grants?username=demo", &of_client] {
        let (access, refresh) = tested.user_tokens(client).await?;
        control.delete(what).await?;
        refused(
            "a refresh token of a revoked grant",
            &tested.refresh(client, &refresh).await?,
            &[400],
            GRANT,
        )?;
        tested.all_dead("the grant's end", &[&access]).await?;
    }

    let leaving = json!({
        "client_id": "leaving", "client_secret": "leaving-secret",
        "redirect_uris": [tested.set().redirect_uri],
    });
    control.post("clients", &leaving).await?;
    let leaving = ServerClient::new("leaving", "leaving-secret");
    let (access, refresh) = tested.user_tokens(&leaving).await?;
    ensure!(
        tested.is_active(&access).await?,
        "expected the client's token active while there is one, got inactive"
    );
    control.delete("clients?client_id=leaving").await?;
    let answer = tested.refresh(&leaving, &refresh).await?;
    let codes = ["invalid_grant", "invalid_client"];
    refused("a client that is gone", &answer, &[400, 401], &codes)?;
    refused(
        "its refresh token by another",
        &tested.refresh(client, &refresh).await?,
        &[400],
        GRANT,
    )?;
    tested.all_dead("the client's end", &[&access]).await?;

    let (_, refresh) = tested.user_tokens(client).await?;
    let code = tested.code(client).await?;
    control.delete("users?username=demo").await?;
    refused(
        "a refresh token of a person who is gone",
        &tested.refresh(client, &refresh).await?,
        &[400],
        GRANT,
    )?;
    refused(
        "a code of a person who is gone",
        &tested.redeem(client, &code).await?,
        &[400],
        GRANT,
    )
}

async fn family_records(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = json!({
        "client_id": "family", "client_secret": "family-secret", "refresh_token_seconds": 1000,
        "redirect_uris": [tested.set().redirect_uri],
    });
    tested.control().post("clients", &client).await?;
    let client = ServerClient::new("family", "family-secret");
    let (_, first) = tested.user_tokens(&client).await?;
    let mut last = first.clone();
    for _ in 0..3 {
        tested.control().advance(240).await?;
        // Each request clears away, and must not clear away too much.
        for _ in 0..20 {
            tested.client_token(&tested.set().confidential).await?;
        }
        let next = granted("a refresh", &tested.refresh(&client, &last).await?)?;
        last = member(&next, "refresh_token")?.to_owned();
    }
    // At 720 of 1000 s all are remembered, the first of them, too.
    refused(
        "the first refresh token of a family",
        &tested.refresh(&client, &first).await?,
        &[400],
        GRANT,
    )?;
    refused(
        "the last one, after the first came back",
        &tested.refresh(&client, &last).await?,
        &[400],
        GRANT,
    )?;

    let (_, kept) = tested.user_tokens(&client).await?;
    let next = granted("a refresh", &tested.refresh(&client, &kept).await?)?;
    let family = records(&tested, "refresh_tokens").await?.len();
    ensure!(
        family == 2,
        "refreshed once, expected both members stored, got {family} records"
    );
    // Nobody asks for these any more.
    let (_, forgotten) = tested.user_tokens(&client).await?;
    granted("a refresh", &tested.refresh(&client, &forgotten).await?)?;
    tested.control().advance(1001).await?;
    for token in [kept.as_str(), member(&next, "refresh_token")?] {
        refused(
            "a refresh token after its family's end",
            &tested.refresh(&client, token).await?,
            &[400],
            GRANT,
        )?;
    }
    tested.control().advance(YEAR).await?;
    for _ in 0..20 {
        tested.client_token(&tested.set().confidential).await?;
    }
    let left = records(&tested, "refresh_tokens").await?.len();
    ensure!(
        left == 0,
        "a year later, expected the family purged by use, got {left} records"
    );
    Ok(())
}

async fn grace(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = json!({
        "client_id": "patient", "client_secret": "patient-secret", "refresh_grace_seconds": 30,
        "redirect_uris": [tested.set().redirect_uri],
    });
    tested.control().post("clients", &client).await?;
    let patient = ServerClient::new("patient", "patient-secret");
    let (_, refresh) = tested.user_tokens(&patient).await?;
    let (_, successor) = pair(&granted(
        "a refresh",
        &tested.refresh(&patient, &refresh).await?,
    )?)?;
    // The answer was lost.
    let (access, again) = pair(&granted(
        "the same at once",
        &tested.refresh(&patient, &refresh).await?,
    )?)?;
    ensure!(
        again == successor,
        "refreshed again within the window, expected the same successor, got another"
    );
    // Outside it, or once the successor was used, it is a replay.
    let (_, newest) = pair(&granted(
        "the successor",
        &tested.refresh(&patient, &successor).await?,
    )?)?;
    refused(
        "the first once its successor was used",
        &tested.refresh(&patient, &refresh).await?,
        &[400],
        GRANT,
    )?;
    refused(
        "the newest of that family",
        &tested.refresh(&patient, &newest).await?,
        &[400],
        GRANT,
    )?;
    tested.all_dead("a replay", &[&access]).await?;

    let (_, refresh) = tested.user_tokens(&patient).await?;
    let (_, successor) = pair(&granted(
        "a refresh",
        &tested.refresh(&patient, &refresh).await?,
    )?)?;
    tested.control().advance(31).await?;
    for token in [&refresh, &successor] {
        let answer = tested.refresh(&patient, token).await?;
        refused("a family whose window is over", &answer, &[400], GRANT)?;
    }
    // Without being asked for there is none.
    let client = &tested.set().confidential;
    let (_, refresh) = tested.user_tokens(client).await?;
    tested.refresh(client, &refresh).await?;
    let answer = tested.refresh(client, &refresh).await?;
    ensure!(
        answer.status() == 400,
        "refreshed twice without a window, expected 400, got {}",
        shown(&answer)
    );
    Ok(())
}

async fn ends(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = json!({
        "client_id": "ending", "client_secret": "ending-secret",
        "refresh_token_seconds": 1000, "refresh_token_idle_seconds": 400,
        "redirect_uris": [tested.set().redirect_uri],
    });
    tested.control().post("clients", &client).await?;
    let client = ServerClient::new("ending", "ending-secret");
    let (_, idle) = tested.user_tokens(&client).await?;
    tested.control().advance(401).await?;
    refused(
        "a refresh token that was idle for too long",
        &tested.refresh(&client, &idle).await?,
        &[400],
        GRANT,
    )?;
    let (_, mut token) = tested.user_tokens(&client).await?;
    for _ in 0..3 {
        tested.control().advance(300).await?;
        let tokens = granted("a refresh in time", &tested.refresh(&client, &token).await?)?;
        token = member(&tokens, "refresh_token")?.to_owned();
    }
    // At 900 s of 1000; no use goes beyond its end.
    tested.control().advance(101).await?;
    refused(
        "a refresh token past the end of its grant",
        &tested.refresh(&client, &token).await?,
        &[400],
        GRANT,
    )
}
