//! E5: refresh tokens at the server.

use serde_json::Value;

use super::server::{Tested, basic, granted, member, only_success, pair, refused, shown};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "SRT-01" [Counterpart, Server] => rotation,
    "SRT-02" [Counterpart, Server] => reuse,
    "SRT-03" [Counterpart, Server] => reuse_with_another_fault,
    "SRT-04" [Counterpart, Server] => token_of_another_client,
    "SRT-05" [Counterpart, Server] => same_token_at_once,
    "SRT-07" [Counterpart, Server] => without_authentication,
    "SRT-08" [Counterpart, Server] => public_client,
    "SRT-09" [Counterpart, Server] => scope,
    "SRT-14" [Counterpart, Server] => confused_tokens,
    "SRT-15" [Counterpart, Server] => one_text_for_all,
};

const GRANT: &[&str] = &["invalid_grant"];

async fn rotation(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (access, refresh) = tested.user_tokens(client).await?;
    let (new_access, new_refresh) = pair(&granted(
        "a good refresh",
        &tested.refresh(client, &refresh).await?,
    )?)?;
    ensure!(
        new_access != access,
        "refreshed, expected a new access token, got the old one"
    );
    ensure!(
        new_refresh != refresh,
        "refreshed, expected a new refresh token, got the old one"
    );
    ensure!(
        tested.is_active(&new_access).await?,
        "refreshed, expected an active token, got inactive"
    );
    let (_, newest) = pair(&granted(
        "the successor",
        &tested.refresh(client, &new_refresh).await?,
    )?)?;
    ensure!(
        newest != new_refresh,
        "refreshed again, expected a new refresh token, got the old one"
    );
    refused(
        "the first refresh token again",
        &tested.refresh(client, &refresh).await?,
        &[400],
        GRANT,
    )
}

pub(super) async fn reuse(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    for client in [&tested.set().confidential, &tested.set().public] {
        let (access, refresh) = tested.user_tokens(client).await?;
        let (second, successor) = pair(&granted(
            "a good refresh",
            &tested.refresh(client, &refresh).await?,
        )?)?;
        let (third, last) = pair(&granted(
            "the successor",
            &tested.refresh(client, &successor).await?,
        )?)?;
        refused(
            "a consumed refresh token",
            &tested.refresh(client, &refresh).await?,
            &[400],
            GRANT,
        )?;
        tested
            .all_dead("reuse", &[&access, &second, &third])
            .await?;
        refused(
            "the newest one after a reuse",
            &tested.refresh(client, &last).await?,
            &[400],
            GRANT,
        )?;
    }
    Ok(())
}

async fn reuse_with_another_fault(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for fault in [
        ("scope", "nobody-has-this"),
        ("scope", "a\nb"),
        ("resource", "https://unknown.example"),
    ] {
        let (access, refresh) = tested.user_tokens(client).await?;
        let (second, successor) = pair(&granted(
            "a good refresh",
            &tested.refresh(client, &refresh).await?,
        )?)?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            fault,
        ];
        let sent = format!("a consumed refresh token with {fault:?}");
        refused(
            &sent,
            &tested.token_as(client, &form).await?,
            &[400],
            &["invalid_grant", "invalid_scope", "invalid_target"],
        )?;
        tested.all_dead(&sent, &[&access, &second]).await?;
        refused(
            "its successor",
            &tested.refresh(client, &successor).await?,
            &[400],
            GRANT,
        )?;
    }
    // Long after its own end it is still known for what it was.
    let (_, refresh) = tested.user_tokens(client).await?;
    let (_, successor) = pair(&granted(
        "a good refresh",
        &tested.refresh(client, &refresh).await?,
    )?)?;
    tested.control().advance(7200).await?;
    refused(
        "a consumed refresh token later",
        &tested.refresh(client, &refresh).await?,
        &[400],
        GRANT,
    )?;
    refused(
        "its successor",
        &tested.refresh(client, &successor).await?,
        &[400],
        GRANT,
    )
}

pub(super) async fn token_of_another_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for (owner, other) in [
        (&set.confidential, &set.public),
        (&set.public, &set.confidential),
    ] {
        let (access, refresh) = tested.user_tokens(owner).await?;
        refused(
            "another client's refresh token",
            &tested.refresh(other, &refresh).await?,
            &[400],
            GRANT,
        )?;
        ensure!(
            tested.is_active(&access).await?,
            "sent by another client, expected the owner's tokens alive, got dead"
        );
        let (newer, successor) = pair(&granted(
            "the owner's refresh",
            &tested.refresh(owner, &refresh).await?,
        )?)?;
        // A consumed one, too: else any client could end another's session.
        refused(
            "another client's consumed token",
            &tested.refresh(other, &refresh).await?,
            &[400],
            GRANT,
        )?;
        ensure!(
            tested.is_active(&newer).await?,
            "reused by another client, expected the owner's tokens alive, got dead"
        );
        granted(
            "the owner's next refresh",
            &tested.refresh(owner, &successor).await?,
        )?;
    }
    Ok(())
}

/// One node: a store for several brings a test of its own.
async fn same_token_at_once(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for times in [2, 8, 50] {
        let (_, refresh) = tested.user_tokens(client).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let answers = tested.race(times, client, &form).await?;
        for answer in answers.iter().filter(|answer| answer.status() != 200) {
            refused("a refresh token at once", answer, &[400], GRANT)?;
        }
        only_success("a refresh token", answers)?;
    }
    Ok(())
}

async fn without_authentication(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (_, refresh) = tested.user_tokens(client).await?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let path = &tested.set().token;
    let wrong = basic(&client.id, "wrong");
    for (sent, answer) in [
        (
            "a refresh without a client",
            tested.post(path, &[], &form).await?,
        ),
        (
            "a refresh with an id only",
            tested
                .post(
                    path,
                    &[],
                    &[&form[..], &[("client_id", &client.id)]].concat(),
                )
                .await?,
        ),
        (
            "a refresh with a wrong secret",
            tested
                .post(path, &[("Authorization", &wrong)], &form)
                .await?,
        ),
    ] {
        refused(sent, &answer, &[400, 401], &["invalid_client"])?;
    }
    granted(
        "the refresh token after that",
        &tested.refresh(client, &refresh).await?,
    )
    .map(|_| ())
}

async fn public_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().public;
    let (_, refresh) = tested.user_tokens(client).await?;
    let (_, successor) = pair(&granted(
        "a public client's refresh",
        &tested.refresh(client, &refresh).await?,
    )?)?;
    ensure!(
        successor != refresh,
        "refreshed as a public client, expected a new refresh token, got the old one"
    );
    refused(
        "the old one",
        &tested.refresh(client, &refresh).await?,
        &[400],
        GRANT,
    )
}

async fn scope(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (_, mut refresh) = tested.user_tokens(client).await?;
    for (asked, wanted) in [
        (None, Some("read write")),
        (Some("read"), Some("read")),
        (None, Some("read write")),
        (Some("read write admin"), None),
        (Some("admin"), None),
        (Some("write"), Some("write")),
        (Some("read write"), Some("read write")),
    ] {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        form.extend(asked.map(|scope| ("scope", scope)));
        let answer = tested.token_as(client, &form).await?;
        let sent = format!("a refresh of read write with the scope {asked:?}");
        let Some(wanted) = wanted else {
            refused(&sent, &answer, &[400], &["invalid_scope"])?;
            continue;
        };
        let tokens = granted(&sent, &answer)?;
        let seen = tested.introspect(member(&tokens, "access_token")?).await?;
        let got = sorted(&seen["scope"]);
        ensure!(
            got == sorted(&Value::from(wanted)),
            "sent {sent}, expected {wanted}, got {got:?}"
        );
        let told = tokens.get("scope").map_or_else(|| got.clone(), sorted);
        ensure!(
            told == got,
            "sent {sent}, expected to be told {got:?}, got {told:?}"
        );
        refresh = pair(&tokens)?.1;
    }
    Ok(())
}

fn sorted(scope: &Value) -> Vec<String> {
    let mut words: Vec<_> = scope
        .as_str()
        .unwrap_or_default()
        .split(' ')
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words
}

async fn confused_tokens(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (access, refresh) = tested.user_tokens(client).await?;
    let code = tested.code(client).await?;
    let active = tested.is_active(&refresh).await?;
    ensure!(
        !active,
        "asked as a resource about a refresh token, expected inactive, got active"
    );
    ensure!(
        !tested.is_active(&code).await?,
        "asked as a resource about a code, expected inactive, got active"
    );
    for (sent, token) in [
        ("an access token as refresh token", &access),
        ("a code as refresh token", &code),
    ] {
        refused(sent, &tested.refresh(client, token).await?, &[400], GRANT)?;
    }
    for (sent, token) in [
        ("an access token as code", &access),
        ("a refresh token as code", &refresh),
    ] {
        refused(sent, &tested.redeem(client, token).await?, &[400], GRANT)?;
    }
    ensure!(
        tested.is_active(&access).await?,
        "used as what it is not, expected the access token alive, got dead"
    );
    granted(
        "the refresh token as what it is",
        &tested.refresh(client, &refresh).await?,
    )
    .map(|_| ())
}

async fn one_text_for_all(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let client = &set.confidential;
    let unknown = tested.refresh(client, "unknown").await?;
    refused("an unknown refresh token", &unknown, &[400], GRANT)?;
    let (_, foreign) = tested.user_tokens(&set.public).await?;
    let (_, revoked) = tested.user_tokens(client).await?;
    tested.revoke(client, &revoked).await?;
    let (_, consumed) = tested.user_tokens(client).await?;
    granted("a good refresh", &tested.refresh(client, &consumed).await?)?;
    let (_, expired) = tested.user_tokens(client).await?;
    for (kind, token) in [
        ("foreign", &foreign),
        ("revoked", &revoked),
        ("consumed", &consumed),
    ] {
        let answer = tested.refresh(client, token).await?;
        ensure!(
            answer.text() == unknown.text(),
            "sent a {kind} refresh token, expected the text for an unknown one, got {}",
            shown(&answer)
        );
    }
    // No lifetime in use is longer than ten years.
    tested.control().advance(10 * 365 * 24 * 3600).await?;
    let answer = tested.refresh(client, &expired).await?;
    ensure!(
        answer.text() == unknown.text(),
        "sent an expired refresh token, expected the text for an unknown one, got {}",
        shown(&answer)
    );
    Ok(())
}
