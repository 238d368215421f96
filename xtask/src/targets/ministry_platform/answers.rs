//! Rows about what the token endpoint answers.

use std::time::Duration;

use ::ministry_platform::{ErrorKind, oauth_core::Token};
use oauth_conformance::{Case, Context, Need, Outcome, Received, Reply, cases, ensure};
use oauth_core::{ErrorCode, Recovery};
use serde_json::{Value, json};

use super::{builder, came, client, failed, fails, message, order, recorded, row, table, token};

pub(super) const CASES: &[Case] = cases! {
    "MP-02" [Need::Counterpart] => token_answers,
    "MP-03" [Need::Counterpart] => identity_server_errors,
    "MP-04" [] => what_is_no_answer,
};

const HTML: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";

/// Clients get no refresh token, users get one when they ask for `offline_access`; how long a
/// token lives and whether a refresh token is rotated is chosen for each client. A lifetime that
/// is missing or no number is an hour, and none is shorter than half a minute.
async fn token_answers(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    let offline = builder(&cx, counterpart.base_url())
        .offline_access(true)
        .build()
        .map_err(failed)?;
    for (who, got, refresh) in [
        (
            "a client",
            church.authenticate_client("demo-client").await,
            false,
        ),
        ("a user", church.authenticate().await, false),
        (
            "a user who asks for offline_access",
            offline.authenticate().await,
            true,
        ),
    ] {
        let got = got.map_err(failed)?;
        ensure!(
            got.refresh_token().is_some() == refresh && cx.lifetime(&*got) == Some(3600),
            "{who}: expected a refresh token to be there ({refresh}) and 3600 s, got {:?}",
            got
        );
    }
    cx.clock().advance(Duration::from_secs(3600));
    let renewed = offline.authenticate().await.map_err(failed)?;
    ensure!(
        renewed.refresh_token().is_some(),
        "a renewal: expected a refresh token again, got none"
    );
    let requests = counterpart.control().requests().await?;
    let last = recorded(&requests).last().copied();
    ensure!(
        last == Some("refresh_token"),
        "an hour later: expected a refresh, got {last:?}"
    );

    for (expires_in, seconds) in [
        (None, 3600),
        (Some(Value::Null), 3600),
        (Some(json!("soon")), 3600),
        (Some(json!("1800")), 1800),
        (Some(json!(1800)), 1800),
        (Some(json!(5)), 30),
        (Some(json!(0)), 30),
    ] {
        let sent = format!("expires_in {expires_in:?}");
        let answer = match expires_in {
            Some(value) => cx.token_reply_with("expires_in", value),
            None => cx.token_reply_without("expires_in"),
        };
        let server = cx.scripted([answer]).await?;
        let got = client(&cx, server.base_url())?
            .authenticate()
            .await
            .map_err(failed)?;
        let lifetime = cx.lifetime(&*got);
        ensure!(
            lifetime == Some(seconds),
            "{sent}: expected {seconds} s, got {lifetime:?}"
        );
    }

    // Rotated, then not: the refresh token that came last is the one to use.
    let with = |refresh_token: &str| cx.token_reply_with("refresh_token", refresh_token.into());
    let server = cx
        .scripted([with("r1"), with("r2"), cx.token_reply("t"), with("r3")])
        .await?;
    let church = builder(&cx, server.base_url())
        .offline_access(true)
        .build()
        .map_err(failed)?;
    for _ in 0..4 {
        church.authenticate().await.map_err(failed)?;
        cx.clock().advance(Duration::from_secs(3600));
    }
    let used: Vec<_> = server
        .received()
        .iter()
        .filter_map(|got| got.param("refresh_token"))
        .collect();
    ensure!(
        used == ["r1", "r2", "r2"],
        "refresh tokens r1, r2, none, r3: expected r1, r2, r2 to be used, got {used:?}"
    );
    Ok(())
}

/// Every refusal is 400 with an `error`, also where RFC 6749 §5.2 has 401; a 401 is read all the
/// same.
async fn identity_server_errors(cx: Context) -> Outcome {
    for code in [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ] {
        for (status, body) in [
            (400, json!({ "error": code })),
            (
                400,
                json!({"error": code, "error_description": "DESCRIPTION"}),
            ),
            (401, json!({ "error": code })),
        ] {
            let sent = format!("{status} {body}");
            let reply = Reply::json(status, &body);
            let server = cx.scripted([reply.clone()]).await?;
            let church = client(&cx, server.base_url())?;
            let error = fails(&sent, church.authenticate().await, ErrorKind::LoginRefused)?;
            is(&sent, &error, code, status)?;
            let described = error
                .core()
                .and_then(|core| core.oauth_error()?.description());
            ensure!(
                described == body["error_description"].as_str()
                    && !format!("{error}").contains("DESCRIPTION"),
                "{sent}: expected the description, unprinted, got {described:?}: {error}"
            );
            ensure!(
                error.recovery() == Recovery::FixConfiguration && server.received().len() == 1,
                "{sent}: expected one request and {:?}, got {} and {:?}",
                Recovery::FixConfiguration,
                server.received().len(),
                error.recovery()
            );
            let server = cx
                .scripted([token("u"), row("c", "s"), reply.clone(), row("c", "s")])
                .await?;
            let refused = client(&cx, server.base_url())?
                .authenticate_client("c")
                .await;
            is(
                &sent,
                &fails(&sent, refused, ErrorKind::ClientRefused)?,
                code,
                status,
            )?;
        }
    }
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    for (sent, wrong, code) in [
        (
            "a wrong password",
            builder(&cx, base_url).password("wrong"),
            "invalid_grant",
        ),
        (
            "a wrong client secret",
            builder(&cx, base_url).client_secret("wrong"),
            "invalid_client",
        ),
        (
            "an unknown client",
            builder(&cx, base_url).client_id("nobody"),
            "invalid_client",
        ),
    ] {
        let church = wrong.build().map_err(failed)?;
        let error = fails(sent, church.authenticate().await, ErrorKind::LoginRefused)?;
        is(sent, &error, code, 400)?;
    }
    Ok(())
}

fn is(sent: &str, error: &::ministry_platform::Error, code: &str, status: u16) -> Outcome {
    let got = (
        error
            .core()
            .and_then(oauth_core::Error::code)
            .map(ErrorCode::as_str),
        error.status().map(|status| status.as_u16()),
    );
    ensure!(
        got == (Some(code), Some(status)),
        "{sent}: expected {code} with status {status}, got {got:?}"
    );
    Ok(())
}

/// What a web server, a login page or ASP.NET says instead of an answer is never a token and
/// never rows; rows are a bare array, and an empty one is that there are none.
async fn what_is_no_answer(cx: Context) -> Outcome {
    let html = |status| {
        Reply::new(status)
            .header("Content-Type", "text/html")
            .body(HTML)
    };
    let login = |status| {
        Reply::new(status)
            .header("Location", "/login?ReturnUrl=x")
            .body(HTML)
    };
    for (sent, reply, token_kind, rows_kind) in [
        (
            "200 HTML",
            html(200),
            ErrorKind::Protocol,
            ErrorKind::Protocol,
        ),
        (
            "302 to a login page",
            login(302),
            ErrorKind::Protocol,
            ErrorKind::Protocol,
        ),
        (
            "307 to a login page",
            login(307),
            ErrorKind::Protocol,
            ErrorKind::Protocol,
        ),
        (
            "200 Message",
            message(200, "x"),
            ErrorKind::Protocol,
            ErrorKind::Protocol,
        ),
        (
            "404 HTML",
            html(404),
            ErrorKind::LoginRefused,
            ErrorKind::Refused,
        ),
        (
            "400 Message",
            message(400, "x"),
            ErrorKind::LoginRefused,
            ErrorKind::Refused,
        ),
        (
            "403 message",
            Reply::json(403, &json!({"message": "x"})),
            ErrorKind::LoginRefused,
            ErrorKind::Refused,
        ),
        (
            "500 Message",
            message(500, "x"),
            ErrorKind::Server,
            ErrorKind::Server,
        ),
        ("500 HTML", html(500), ErrorKind::Server, ErrorKind::Server),
        ("503 HTML", html(503), ErrorKind::Server, ErrorKind::Server),
    ] {
        let server = cx.scripted([reply.clone()]).await?;
        let error = fails(
            sent,
            client(&cx, server.base_url())?.authenticate().await,
            token_kind,
        )?;
        only_these(sent, &server.received(), &["password"])?;
        let printed = format!("{error} {error:?}");
        ensure!(
            !printed.contains("Sign in"),
            "{sent}: expected no body in the error, got {printed}"
        );

        let server = cx.scripted([token("t"), reply]).await?;
        let api = client(&cx, server.base_url())?.api();
        let rows = api
            .get_records(&table("Contacts")?, &Default::default())
            .await;
        let error = fails(&format!("{sent} for rows"), rows, rows_kind)?;
        only_these(
            sent,
            &server.received(),
            &["password", "/ministryplatformapi/tables/Contacts"],
        )?;
        let transient = matches!(error.recovery(), Recovery::Retry { .. });
        ensure!(
            transient == (rows_kind == ErrorKind::Server),
            "{sent} for rows: expected it to be transient only of a server, got {:?}",
            error.recovery()
        );
    }
    for (rows, count) in [
        (json!([]), 0),
        (json!([{"A": 1}]), 1),
        (json!([{"A": 1}, {}]), 2),
    ] {
        let server = cx.scripted([token("t"), Reply::json(200, &rows)]).await?;
        let api = client(&cx, server.base_url())?.api();
        let got = api
            .get_records(&table("Contacts")?, &Default::default())
            .await
            .map_err(failed)?;
        ensure!(
            got.len() == count,
            "{rows}: expected {count} rows, got {got:?}"
        );
    }
    Ok(())
}

/// No request went elsewhere, such as to where a redirect points.
fn only_these(sent: &str, received: &[Received], expected: &[&str]) -> Outcome {
    let mut got = order(received);
    got.dedup();
    came(sent, &got, expected)
}
