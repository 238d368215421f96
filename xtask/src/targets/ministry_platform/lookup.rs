//! Rows about the look-up of a client's secret.

use ::ministry_platform::ErrorKind;
use oauth_conformance::{Case, Context, Need, Outcome, Reply, cases, ensure};
use serde_json::{Value, json};

use super::{
    ROW, builder, came, client, failed, fails, message, oauth_error, order, recorded, row, text,
    token,
};

pub(super) const CASES: &[Case] = cases! {
    "MP-06" [] => ids_that_cannot_be,
    "MP-07" [Need::Counterpart] => exactly_one_row,
    "MP-09" [] => look_up_user,
    "MP-18" [Need::Counterpart] => each_step_its_own,
};

/// An id with control characters or over 256 bytes is refused before anything is sent.
async fn ids_that_cannot_be(cx: Context) -> Outcome {
    let server = cx.scripted([token("u"), row("c", "s"), token("t")]).await?;
    let church = client(&cx, server.base_url())?;
    let (long, wide) = ("x".repeat(257), "ä".repeat(129));
    for bad in [
        "",
        "with\nline",
        "with\r\nlines",
        "with\0nul",
        "with\ttab",
        "with\u{7f}del",
        "with\u{85}nel",
        &long,
        &wide,
    ] {
        for result in [
            church.authenticate_client(bad).await.map(|_| ()),
            church.api_as(bad).map(|_| ()),
        ] {
            let error = fails(&format!("the id {bad:?}"), result, ErrorKind::Usage)?;
            let said = format!("{error} {error:?}");
            ensure!(
                bad.is_empty() || !said.contains(bad),
                "the id {bad:?}: expected it not to be repeated, got {said}"
            );
        }
    }
    came("ids that cannot be", &order(&server.received()), &[])?;
    let longest = "x".repeat(256);
    let server = cx
        .scripted([token("u"), row(&longest, "s"), token("t")])
        .await?;
    client(&cx, server.base_url())?
        .authenticate_client(&longest)
        .await
        .map_err(failed)?;
    Ok(())
}

/// SQL Server compares without case and without the blanks at the end, so what it finds is looked
/// at again: one row with this very id and a secret, or an error, never "the first row".
async fn exactly_one_row(cx: Context) -> Outcome {
    let good = |id: &str| json!({"Client_ID": id, "Client_Secret": "s", "Is_Enabled": true});
    let secret = |secret: Value| json!([{"Client_ID": "wanted", "Client_Secret": secret}]);
    for (rows, expected) in [
        (json!([good("wanted")]), None),
        (
            json!([good("WANTED"), good("wanted"), good("wanted ")]),
            None,
        ),
        (json!([{"Client_ID": "wanted", "Client_Secret": "s"}]), None),
        (json!([]), Some(ErrorKind::ClientNotFound)),
        (json!([good("WANTED")]), Some(ErrorKind::ClientNotFound)),
        (json!([good("wanted ")]), Some(ErrorKind::ClientNotFound)),
        (json!([good("other")]), Some(ErrorKind::ClientNotFound)),
        (
            json!([{"Client_ID": null, "Client_Secret": "s"}]),
            Some(ErrorKind::ClientNotFound),
        ),
        (
            json!([{"Client_Secret": "s"}]),
            Some(ErrorKind::ClientNotFound),
        ),
        (
            json!([good("wanted"), good("wanted")]),
            Some(ErrorKind::ClientAmbiguous),
        ),
        (secret(Value::Null), Some(ErrorKind::ClientSecretMissing)),
        (secret("".into()), Some(ErrorKind::ClientSecretMissing)),
        (secret("  ".into()), Some(ErrorKind::ClientSecretMissing)),
        (
            json!([{"Client_ID": "wanted"}]),
            Some(ErrorKind::ClientSecretMissing),
        ),
        (
            json!({"Client_ID": "wanted", "Client_Secret": "s"}),
            Some(ErrorKind::Protocol),
        ),
        (secret(7.into()), Some(ErrorKind::Protocol)),
    ] {
        let sent = format!("the rows {rows}");
        let server = cx
            .scripted([token("u"), Reply::json(200, &rows), token("t")])
            .await?;
        let got = client(&cx, server.base_url())?
            .authenticate_client("wanted")
            .await;
        let used = order(&server.received()).len();
        match expected {
            None => {
                got.map_err(failed)?;
            }
            Some(kind) => {
                fails(&sent, got, kind)?;
                ensure!(used == 2, "{sent}: expected two requests, got {used}");
            }
        }
    }
    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    church
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    for (id, kind) in [
        ("DEMO-CLIENT", ErrorKind::ClientNotFound),
        ("demo-client ", ErrorKind::ClientNotFound),
        ("nobody", ErrorKind::ClientNotFound),
        ("twice", ErrorKind::ClientAmbiguous),
        ("nosecret", ErrorKind::ClientSecretMissing),
    ] {
        fails(
            &format!("the client {id:?}"),
            church.authenticate_client(id).await,
            kind,
        )?;
    }
    Ok(())
}

/// Who may read the table may read every secret: that user logs in for look-ups alone, and its
/// token is nobody else's.
async fn look_up_user(cx: Context) -> Outcome {
    let script = [
        token("reader"),
        row("c", "s"),
        token("client"),
        token("user"),
        Reply::json(200, &json!([])),
        row("d", "s"),
        token("client-d"),
    ];
    let server = cx.scripted(script).await?;
    let church = builder(&cx, server.base_url())
        .lookup_user("reader", "reader-pass")
        .build()
        .map_err(failed)?;
    let client = church.authenticate_client("c").await.map_err(failed)?;
    let user = church.authenticate().await.map_err(failed)?;
    let api = church.api();
    api.get_records(&super::table("Contacts")?, &Default::default())
        .await
        .map_err(failed)?;
    let other = church.authenticate_client("d").await.map_err(failed)?;
    let handed_out = [text(&*client), text(&*user), text(&*other)];
    ensure!(
        handed_out == ["client", "user", "client-d"],
        "a client, the user, a client: expected their own tokens, got {handed_out:?}"
    );
    let received = server.received();
    let contacts = "/ministryplatformapi/tables/Contacts";
    let expected = [
        "password",
        ROW,
        "client_credentials",
        "password",
        contacts,
        ROW,
        "client_credentials",
    ];
    came(
        "a client, the user, rows, a client",
        &order(&received),
        &expected,
    )?;
    for (at, name, value) in [
        (0, "username", "reader"),
        (0, "password", "reader-pass"),
        (3, "username", "demo"),
    ] {
        let got = received[at].param(name);
        ensure!(
            got.as_deref() == Some(value),
            "request {at}: expected {name} to be {value}, got {got:?}"
        );
    }
    for (at, bearer) in [
        (1, "Bearer reader"),
        (4, "Bearer user"),
        (5, "Bearer reader"),
    ] {
        let got = received[at].header("authorization");
        ensure!(
            got == Some(bearer),
            "request {at}: expected {bearer}, got {got:?}"
        );
    }
    let shown = format!("{church:?}");
    ensure!(
        !shown.contains("reader"),
        "printed: expected nothing of the look-up user, got {shown}"
    );
    Ok(())
}

/// User's token, table row, client's token: each is kept under its own key, fetched once for a
/// hundred callers, and fails in its own way.
async fn each_step_its_own(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    let calls = (0..100).map(|_| {
        let church = church.clone();
        tokio::spawn(async move { church.authenticate_client("demo-client").await })
    });
    for call in calls.collect::<Vec<_>>() {
        let joined = call
            .await
            .map_err(|error| oauth_conformance::Failure::new(error.to_string()))?;
        joined.map_err(failed)?;
    }
    let steps = [
        "password",
        ROW,
        "client_credentials",
        ROW,
        "client_credentials",
        "client_credentials",
    ];
    let requests = counterpart.control().requests().await?;
    came("a hundred callers", &recorded(&requests), &steps[..3])?;
    church
        .authenticate_client("awkward")
        .await
        .map_err(failed)?;
    church.authenticate().await.map_err(failed)?;
    church
        .invalidate_token("demo-client")
        .await
        .map_err(failed)?;
    church
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    let requests = counterpart.control().requests().await?;
    came(
        "another client, the user, the first again",
        &recorded(&requests),
        &steps,
    )?;

    let (login, found, fine) = (|| token("u"), || row("c", "s"), || token("t"));
    let disabled = json!([{"Client_ID": "c", "Client_Secret": "s", "Is_Enabled": false}]);
    let disabled_bit = json!([{"Client_ID": "c", "Client_Secret": "s", "Is_Enabled": 0}]);
    for (sent, script, kind, requests) in [
        (
            "a refused login",
            vec![oauth_error("invalid_grant")],
            ErrorKind::LoginRefused,
            1,
        ),
        (
            "a login that failed",
            vec![Reply::new(500)],
            ErrorKind::Server,
            1,
        ),
        (
            "a refused look-up",
            vec![login(), message(403, "Access denied.")],
            ErrorKind::LookupRefused,
            2,
        ),
        (
            "no such table",
            vec![login(), Reply::new(404)],
            ErrorKind::LookupRefused,
            2,
        ),
        (
            "no such column",
            vec![login(), message(500, "Invalid column name 'Is_Enabled'.")],
            ErrorKind::LookupRefused,
            2,
        ),
        (
            "a look-up that failed",
            vec![login(), message(500, "x")],
            ErrorKind::Server,
            2,
        ),
        (
            "a disabled client",
            vec![login(), Reply::json(200, &disabled)],
            ErrorKind::ClientDisabled,
            2,
        ),
        (
            "a client with bit 0",
            vec![login(), Reply::json(200, &disabled_bit)],
            ErrorKind::ClientDisabled,
            2,
        ),
        (
            "a refused client",
            vec![login(), found(), oauth_error("unauthorized_client")],
            ErrorKind::ClientRefused,
            3,
        ),
        (
            "a refused secret",
            vec![login(), found(), oauth_error("invalid_client"), found()],
            ErrorKind::ClientRefused,
            4,
        ),
    ] {
        let server = cx.scripted(script).await?;
        let church = client(&cx, server.base_url())?;
        fails(sent, church.authenticate_client("c").await, kind)?;
        let got = server.received().len();
        ensure!(
            got == requests,
            "{sent}: expected {requests} requests, got {got}"
        );
        fails(
            sent,
            church.invalidate_token("c").await,
            ErrorKind::NotCached,
        )?;
    }
    // What failed is not kept; what went well before it is.
    let server = cx
        .scripted([login(), Reply::json(200, &json!([])), found(), fine()])
        .await?;
    let church = client(&cx, server.base_url())?;
    fails(
        "no row yet",
        church.authenticate_client("c").await,
        ErrorKind::ClientNotFound,
    )?;
    church.authenticate_client("c").await.map_err(failed)?;
    came(
        "no row, then one",
        &order(&server.received()),
        &["password", ROW, ROW, "client_credentials"],
    )
}
