//! E8: revocation.

use futures_util::future::join;
use serde_json::json;

use super::server::{Tested, basic, granted, pair, refused};
use crate::{
    Case, Context,
    Need::{Counterpart, Server},
    Outcome, cases, ensure,
    wire::{self, Answer},
};

pub(super) const CASES: &[Case] = cases! {
    "SRV-01" [Counterpart, Server] => own_tokens,
    "SRV-02" [Counterpart, Server] => tokens_that_are_none,
    "SRV-03" [Counterpart, Server] => token_of_another_client,
    "SRV-04" [Counterpart, Server] => the_whole_grant,
    "SRV-05" [Counterpart, Server] => an_access_token,
    "SRV-06" [Counterpart, Server] => hints,
    "SRV-07" [Counterpart, Server] => token_missing_or_no_authentication,
    "SRV-08" [Counterpart, Server] => get_or_jsonp,
    "SRV-09" [Counterpart, Server] => race_with_a_refresh,
    "SRV-10" [Counterpart, Server] => store_down,
};

fn done(sent: &str, answer: &Answer) -> Outcome {
    let (status, body) = (answer.status(), answer.text());
    ensure!(
        status == 200 && body.is_empty(),
        "revoked {sent}, expected 200 and nothing, got {status} {body}"
    );
    Ok(())
}

async fn own_tokens(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for client in [&set.confidential, &set.public] {
        let (access, refresh) = tested.user_tokens(client).await?;
        done("an access token", &tested.revoke(client, &access).await?)?;
        tested.all_dead("its revocation", &[&access]).await?;
        done("a refresh token", &tested.revoke(client, &refresh).await?)?;
        refused(
            "a revoked refresh token",
            &tested.refresh(client, &refresh).await?,
            &[400],
            &["invalid_grant"],
        )?;
    }
    Ok(())
}

async fn tokens_that_are_none(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let token = tested.client_token(client).await?;
    let expired = tested.client_token(client).await?;
    done("a token", &tested.revoke(client, &token).await?)?;
    tested.control().advance(366 * 24 * 3600).await?;
    for (kind, token) in [
        ("revoked", token.as_str()),
        ("expired", &expired),
        ("unknown", "unknown"),
        ("garbage", "\u{e4}\"'; --<>"),
    ] {
        done(
            &format!("the {kind} token"),
            &tested.revoke(client, token).await?,
        )?;
    }
    Ok(())
}

async fn token_of_another_client(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    for token in [&access, &refresh] {
        let answer = tested.revoke(&set.limited, token).await?;
        let is_error = (400..500).contains(&answer.status()) && answer.json()?["error"].is_string();
        ensure!(
            is_error,
            "revoked another client's token as a confidential client, expected an error, got {}",
            answer.status()
        );
        done(
            "another client's token as a public client",
            &tested.revoke(&set.public, token).await?,
        )?;
    }
    ensure!(
        tested.is_active(&access).await?,
        "revoked by others, expected the access token alive, got dead"
    );
    granted(
        "the refresh token revoked by others",
        &tested.refresh(&set.confidential, &refresh).await?,
    )
    .map(|_| ())
}

async fn the_whole_grant(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (first, refresh) = tested.user_tokens(client).await?;
    let (second, successor) = pair(&granted(
        "a good refresh",
        &tested.refresh(client, &refresh).await?,
    )?)?;
    let (other, _) = tested.user_tokens(client).await?;
    done("a refresh token", &tested.revoke(client, &successor).await?)?;
    tested
        .all_dead("the refresh token's revocation", &[&first, &second])
        .await?;
    ensure!(
        tested.is_active(&other).await?,
        "revoked one grant, expected another one alive, got dead"
    );
    Ok(())
}

/// The grant may die with it or live on. What may not be is a half of it: a refresh gives a token
/// that works, or `invalid_grant`, and then nothing of the grant is left.
async fn an_access_token(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    let (first, refresh) = tested.user_tokens(client).await?;
    let renewed = tested.refresh(client, &refresh).await?;
    let (second, successor) = pair(&granted("a good refresh", &renewed)?)?;
    done("an access token", &tested.revoke(client, &second).await?)?;
    tested.all_dead("its revocation", &[&second]).await?;
    let answer = tested.refresh(client, &successor).await?;
    let sent = "the refresh token of a revoked access token";
    if answer.status() != 200 {
        refused(sent, &answer, &[400], &["invalid_grant"])?;
        return tested.all_dead("the end of the grant", &[&first]).await;
    }
    let (third, _) = pair(&granted(sent, &answer)?)?;
    ensure!(
        tested.is_active(&third).await? && !tested.is_active(&second).await?,
        "refreshed after an access token was revoked, expected the new one alive and that one dead"
    );
    Ok(())
}

async fn hints(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    for hint in ["refresh_token", "access_token", "unknown", ""] {
        let (access, refresh) = tested.user_tokens(&set.confidential).await?;
        for token in [&access, &refresh] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            done(
                &format!("with the hint {hint}"),
                &tested
                    .post_as(&set.revocation, &set.confidential, &form)
                    .await?,
            )?;
        }
        tested.all_dead("its revocation", &[&access]).await?;
        refused(
            "a revoked refresh token",
            &tested.refresh(&set.confidential, &refresh).await?,
            &[400],
            &["invalid_grant"],
        )?;
    }
    Ok(())
}

async fn token_missing_or_no_authentication(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    let wrong = basic(&set.confidential.id, "wrong");
    let token = ("token", token.as_str());
    for form in [
        vec![],
        vec![("token", "")],
        vec![token, token],
        vec![token, ("token", "other")],
    ] {
        let answer = tested
            .post_as(&set.revocation, &set.confidential, &form)
            .await?;
        refused(
            &format!("{} tokens", form.len()),
            &answer,
            &[400],
            &["invalid_request"],
        )?;
    }
    for headers in [vec![], vec![("Authorization", wrong.as_str())]] {
        let answer = tested.post(&set.revocation, &headers, &[token]).await?;
        refused(
            "a revocation with wrong or no credentials",
            &answer,
            &[401],
            &["invalid_client"],
        )?;
    }
    ensure!(
        tested.is_active(token.1).await?,
        "revoked without authentication, expected the token alive, got dead"
    );
    Ok(())
}

async fn get_or_jsonp(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let token = tested.client_token(&set.confidential).await?;
    let basic = basic(&set.confidential.id, &set.confidential.secret);
    let headers = [
        ("Authorization", basic.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    for (method, query, body) in [
        ("GET", format!("?token={token}"), String::new()),
        (
            "GET",
            format!("?token={token}&callback=planted"),
            String::new(),
        ),
        ("GET", String::new(), format!("token={token}")),
        ("POST", format!("?token={token}"), String::new()),
        (
            "POST",
            "?callback=planted".to_owned(),
            format!("token={token}"),
        ),
    ] {
        let target = format!("{}{query}", set.revocation);
        let answer = wire::request(
            tested.base_url(),
            method,
            &target,
            &headers,
            body.as_bytes(),
        )
        .await?;
        refused(
            &format!("{method}, a query of {} bytes", query.len()),
            &answer,
            &[400, 405],
            &["invalid_request"],
        )?;
        ensure!(
            !answer.text().contains("planted"),
            "sent callback=planted, expected no JSONP, got it"
        );
    }
    ensure!(
        tested.is_active(&token).await?,
        "revoked by GET or query, expected the token alive, got dead"
    );
    Ok(())
}

async fn race_with_a_refresh(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let client = &tested.set().confidential;
    for round in 0..30 {
        let (access, refresh) = tested.user_tokens(client).await?;
        let (refreshed, revoked) = join(
            tested.refresh(client, &refresh),
            tested.revoke(client, &refresh),
        )
        .await;
        done("a refresh token during its refresh", &revoked?)?;
        let refreshed = refreshed?;
        tested.all_dead("the revocation", &[&access]).await?;
        if refreshed.status() == 200 {
            let (newer, successor) = pair(&refreshed.json()?)?;
            tested
                .all_dead(
                    &format!("a revocation that raced a refresh (round {round})"),
                    &[&newer],
                )
                .await?;
            let answer = tested.refresh(client, &successor).await?;
            refused(
                "the descendant of a revoked token",
                &answer,
                &[400],
                &["invalid_grant"],
            )?;
        }
    }
    Ok(())
}

async fn store_down(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let set = tested.set();
    let (access, refresh) = tested.user_tokens(&set.confidential).await?;
    for token in [access.as_str(), &refresh, "unknown"] {
        tested
            .control()
            .fault(json!({"server": "store_down", "path": set.revocation}))
            .await?;
        let answer = tested.revoke(&set.confidential, token).await?;
        refused(
            "a revocation while the store was down",
            &answer,
            &[503],
            &["temporarily_unavailable", "server_error"],
        )?;
        ensure!(
            answer.header("retry-after").is_some(),
            "was answered 503, expected Retry-After, got none"
        );
    }
    ensure!(
        tested.is_active(&access).await?,
        "revoked while the store was down, expected the token alive, got dead"
    );
    Ok(())
}
