//! E10: the device grant at the server.

use serde_json::{Value, json};

use super::server::{Tested, granted, is_json_not_stored, member, only_success, pair, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, ServerClient, cases, ensure,
    wire::Answer,
};

pub(super) const CASES: &[Case] = cases! {
    "SDV-01" [Counterpart, Server] => device_authorization,
    "SDV-02" [Counterpart, Server] => pending,
    "SDV-03" [Counterpart, Server] => too_fast,
    "SDV-04" [Counterpart, Server] => ends,
    "SDV-05" [Counterpart, Server] => polls_at_once,
    "SDV-06" [Counterpart, Server] => code_of_another_client,
    "SDV-07" [Counterpart, Server] => user_code,
    "SDV-10" [Counterpart, Server] => who_may,
};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

struct Started {
    device_code: String,
    user_code: String,
    answer: Value,
}

async fn start(tested: &Tested, client: &ServerClient) -> Result<Started, Failure> {
    let path = &tested.set().device_authorization;
    let answer = tested
        .post_as(path, client, &[("scope", "read write")])
        .await?;
    let answer = granted("a device authorization", &answer)?;
    let text = |name| member(&answer, name).map(str::to_owned);
    Ok(Started {
        device_code: text("device_code")?,
        user_code: text("user_code")?,
        answer,
    })
}

async fn poll(tested: &Tested, client: &ServerClient, code: &str) -> Result<Answer, Failure> {
    tested
        .token_as(client, &[("grant_type", DEVICE), ("device_code", code)])
        .await
}

async fn device_authorization(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for client in [&set.confidential, &set.public] {
        let answer = tested
            .post_as(&set.device_authorization, client, &[])
            .await?;
        let body = granted("a device authorization", &answer)?;
        is_json_not_stored("a device authorization", &answer)?;
        for name in ["device_code", "user_code", "verification_uri"] {
            ensure!(
                !member(&body, name)?.is_empty(),
                "expected {name}, got an empty text"
            );
        }
        for name in ["expires_in", "interval"] {
            ensure!(
                body[name].as_u64() > Some(0),
                "expected {name} in seconds, got {}",
                body[name]
            );
        }
    }
    Ok(())
}

async fn pending(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for client in [&tested.set().confidential, &tested.set().public] {
        let started = start(&tested, client).await?;
        let answer = poll(&tested, client, &started.device_code).await?;
        refused(
            "a poll before the person acted",
            &answer,
            &[400],
            &["authorization_pending"],
        )?;
    }
    Ok(())
}

async fn too_fast(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().public;
    let started = start(&tested, client).await?;
    let interval = started.answer["interval"].as_i64().unwrap_or_default();
    ensure!(
        interval >= 5,
        "expected an interval of 5 s at least, got {interval}"
    );
    // After each wait, what is to come: the server's own clock adds less than two seconds.
    for (wait, code) in [
        (0, "authorization_pending"),
        (0, "slow_down"),
        // 5 s longer now, so that the old interval is too short.
        (interval + 1, "slow_down"),
        // 10 s longer.
        (interval + 11, "authorization_pending"),
        // And for good.
        (interval + 6, "slow_down"),
        (interval + 16, "authorization_pending"),
    ] {
        tested.control().advance(wait).await?;
        let answer = poll(&tested, client, &started.device_code).await?;
        refused(
            &format!("a poll after {wait} s, interval {interval}"),
            &answer,
            &[400],
            &[code],
        )?;
    }
    Ok(())
}

async fn ends(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let started = start(&tested, client).await?;
    tested.control().device(&started.user_code, "deny").await?;
    refused(
        "a denied code",
        &poll(&tested, client, &started.device_code).await?,
        &[400],
        &["access_denied"],
    )?;

    let started = start(&tested, client).await?;
    tested
        .control()
        .device(&started.user_code, "approve")
        .await?;
    let (access, refresh) = pair(&granted(
        "an approved code",
        &poll(&tested, client, &started.device_code).await?,
    )?)?;
    ensure!(
        tested.is_active(&access).await?,
        "polled an approved code, expected an active token, got inactive"
    );
    refused(
        "a used code",
        &poll(&tested, client, &started.device_code).await?,
        &[400],
        &["invalid_grant"],
    )?;
    tested.all_dead("the code came back", &[&access]).await?;
    refused(
        "its refresh token",
        &tested.refresh(client, &refresh).await?,
        &[400],
        &["invalid_grant"],
    )?;

    for approved in [false, true] {
        let started = start(&tested, client).await?;
        if approved {
            tested
                .control()
                .device(&started.user_code, "approve")
                .await?;
        }
        tested
            .control()
            .advance(started.answer["expires_in"].as_i64().unwrap_or_default() + 1)
            .await?;
        let answer = poll(&tested, client, &started.device_code).await?;
        refused("an expired code", &answer, &[400], &["expired_token"])?;
    }
    Ok(())
}

async fn polls_at_once(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().public;
    for times in [2, 8, 50] {
        let started = start(&tested, client).await?;
        tested
            .control()
            .device(&started.user_code, "approve")
            .await?;
        let form = [
            ("grant_type", DEVICE),
            ("device_code", started.device_code.as_str()),
        ];
        let answers = tested.race(times, client, &form).await?;
        only_success("an approved device code", answers)?;
    }
    Ok(())
}

async fn code_of_another_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let started = start(&tested, &set.confidential).await?;
    for approved in [false, true] {
        if approved {
            tested
                .control()
                .device(&started.user_code, "approve")
                .await?;
        }
        let answer = poll(&tested, &set.public, &started.device_code).await?;
        refused(
            "another client's device code",
            &answer,
            &[400],
            &["invalid_grant"],
        )?;
    }
    for code in ["unknown", &started.user_code] {
        let answer = poll(&tested, &set.confidential, code).await?;
        refused(
            "an unknown device code",
            &answer,
            &[400],
            &["invalid_grant"],
        )?;
    }
    granted(
        "the owner's poll",
        &poll(&tested, &set.confidential, &started.device_code).await?,
    )
    .map(|_| ())
}

async fn user_code(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().public;
    let forms: [fn(&str) -> String; 4] = [
        |code| code.to_lowercase(),
        |code| code.replace('-', ""),
        |code| code.replace('-', " "),
        |code| format!(" {} ", code.to_lowercase().replace('-', "- -")),
    ];
    for entered in forms {
        let started = start(&tested, client).await?;
        let letters: Vec<char> = started.user_code.chars().filter(|c| *c != '-').collect();
        let right =
            letters.len() >= 8 && letters.iter().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(*c));
        ensure!(
            right,
            "expected 8 letters without vowels (34 bits), got {}",
            started.user_code
        );
        tested
            .control()
            .device(&entered(&started.user_code), "approve")
            .await?;
        granted(
            "a poll after entry",
            &poll(&tested, client, &started.device_code).await?,
        )?;
    }
    let unknown = json!({"user_code": "BCDF-GHJK", "action": "approve"});
    let approved = tested.control().post("devices", &unknown).await;
    ensure!(
        approved.is_err(),
        "entered a user code that was never given, expected a refusal, got an approval"
    );
    Ok(())
}

async fn who_may(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let path = &set.device_authorization;
    let answer = tested.post_as(path, &set.limited, &[]).await?;
    refused(
        "a client without the grant",
        &answer,
        &[400],
        &["unauthorized_client"],
    )?;
    let wrong = ServerClient::new(&set.confidential.id, "wrong");
    for client in [
        &wrong,
        &ServerClient::new(&set.confidential.id, ""),
        &ServerClient::new("nobody-knows-it", ""),
    ] {
        let answer = tested.post_as(path, client, &[]).await?;
        refused(
            "a client without authentication",
            &answer,
            &[400, 401],
            &["invalid_client"],
        )?;
    }
    let answer = tested.post(path, &[], &[]).await?;
    refused(
        "no client at all",
        &answer,
        &[400, 401],
        &["invalid_client"],
    )
}
