//! Rows about calls of the API.

use ::ministry_platform::{Api, ErrorKind, Filter, oauth_core::Token, tables::Query};
use oauth_conformance::{Case, Context, Need, Outcome, Reply, cases, ensure};
use oauth_core::{Recovery, RetryPolicy};
use serde_json::json;

use super::{
    builder, came, client, failed, fails, message, order, recorded, refused, row, table, token,
};

pub(super) const CASES: &[Case] = cases! {
    "MP-14" [Need::Counterpart] => dead_tokens,
    "MP-19" [Need::Counterpart] => our_own_mistakes,
};

pub(super) const CONTACTS: &str = "/ministryplatformapi/tables/Contacts";

pub(super) async fn contacts(api: &Api) -> Result<usize, ::ministry_platform::Error> {
    let rows = api.get_records(&"Contacts".parse()?, &Query::new()).await?;
    Ok(rows.len())
}

/// Tokens die before their end, and the server says so in a `Message` under whatever status: such
/// a token is dropped, one other is fetched, and the call is made once more, never twice.
async fn dead_tokens(cx: Context) -> Outcome {
    let again = ["password", CONTACTS, "password", CONTACTS];
    let says = |status, text| (format!("{status} with {text:?}"), message(status, text));
    let bare = || Reply::new(401);
    for (sent, reply) in [
        says(401, "Lifetime validation failed. The token is expired."),
        says(401, "Signature validation failed."),
        says(403, "The TOKEN IS EXPIRED."),
        says(500, "IDX10500: Signature validation failed."),
        says(200, "Signature validation failed."),
        says(401, "Authorization has been denied for this request."),
        (
            "401 with message".to_owned(),
            Reply::json(401, &json!({"message": "the token is expired"})),
        ),
        ("401".to_owned(), bare()),
        (
            "a challenge".to_owned(),
            bare().header("WWW-Authenticate", "Bearer error=\"invalid_token\""),
        ),
    ] {
        let rows = Reply::json(200, &json!([{}]));
        let server = cx
            .scripted([token("t1"), reply.clone(), token("t2"), rows])
            .await?;
        let api = client(&cx, server.base_url())?.api();
        let got = contacts(&api).await.map_err(failed)?;
        ensure!(
            got == 1,
            "{sent}: expected the row of the second try, got {got}"
        );
        let received = server.received();
        came(&sent, &order(&received), &again)?;
        let bearers: Vec<_> = received
            .iter()
            .filter_map(|got| got.header("authorization"))
            .collect();
        ensure!(
            bearers == ["Bearer t1", "Bearer t2"],
            "{sent}: expected t1, then t2, got {bearers:?}"
        );

        let server = cx
            .scripted([token("t1"), reply.clone(), token("t2"), reply])
            .await?;
        let api = client(&cx, server.base_url())?.api();
        let error = refused(&sent, contacts(&api).await)?;
        let expected = if sent.starts_with('5') {
            ErrorKind::Server
        } else {
            ErrorKind::Refused
        };
        ensure!(
            error.kind() == expected,
            "{sent}, twice: expected {expected:?}, got {error:?}"
        );
        came(
            &format!("{sent}, twice"),
            &order(&server.received()),
            &again,
        )?;
    }
    // A right that is missing is not a dead token.
    let server = cx
        .scripted([token("t"), message(403, "Access denied.")])
        .await?;
    let api = client(&cx, server.base_url())?.api();
    fails("403", contacts(&api).await, ErrorKind::Refused)?;
    came("403", &order(&server.received()), &again[..2])?;

    // A client's token is fetched again with the secret that is known.
    let expired = message(401, "The token is expired.");
    let script = [
        token("u"),
        row("c", "s"),
        token("t1"),
        expired,
        token("t2"),
        Reply::json(200, &json!([])),
    ];
    let server = cx.scripted(script).await?;
    let api = client(&cx, server.base_url())?
        .api_as("c")
        .map_err(failed)?;
    contacts(&api).await.map_err(failed)?;
    let client_again = [
        "password",
        super::ROW,
        "client_credentials",
        CONTACTS,
        "client_credentials",
        CONTACTS,
    ];
    came(
        "a client's dead token",
        &order(&server.received()),
        &client_again,
    )?;

    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    contacts(&church.api()).await.map_err(failed)?;
    let before = church.authenticate().await.map_err(failed)?;
    counterpart.control().kill_tokens().await?;
    contacts(&church.api()).await.map_err(failed)?;
    let after = church.authenticate().await.map_err(failed)?;
    ensure!(
        before.access_token() != after.access_token(),
        "after every token died: expected another one to be kept, got the dead one"
    );
    let requests = counterpart.control().requests().await?;
    let expected = ["password", CONTACTS, CONTACTS, "password", CONTACTS];
    came(
        "rows, every token killed, rows",
        &recorded(&requests),
        &expected,
    )
}

/// A 500 that names a column or the syntax is a mistake in the query, which no second try mends.
async fn our_own_mistakes(cx: Context) -> Outcome {
    let stubborn = RetryPolicy::default().with_statuses([429, 500, 502, 503, 504]);
    for (text, kind) in [
        ("Invalid column name 'Nothing'.", ErrorKind::Query),
        ("Ambiguous column name 'End_Date'.", ErrorKind::Query),
        ("Incorrect syntax near the keyword 'OR'.", ErrorKind::Query),
        (
            "The multi-part identifier \"A.B\" could not be bound.",
            ErrorKind::Query,
        ),
        (
            "Unclosed quotation mark after the character string.",
            ErrorKind::Query,
        ),
        (
            "Conversion failed when converting the varchar value.",
            ErrorKind::Query,
        ),
        ("An error has occurred.", ErrorKind::Server),
    ] {
        for reply in [
            message(500, text),
            Reply::json(500, &json!({ "message": text })),
        ] {
            let sent = format!("500 with {text}");
            let server = cx.scripted([token("t"), reply]).await?;
            let church = builder(&cx, server.base_url())
                .retry(stubborn.clone())
                .build()
                .map_err(failed)?;
            let error = fails(&sent, contacts(&church.api()).await, kind)?;
            came(&sent, &order(&server.received()), &["password", CONTACTS])?;
            let fix = error.recovery() == Recovery::FixConfiguration;
            ensure!(
                fix == (kind == ErrorKind::Query) && !error.to_string().contains(text),
                "{sent}: expected to be told whose fault it is, got {:?}: {error}",
                error.recovery()
            );
        }
    }
    let server = cx
        .scripted([token("t"), Reply::new(503), Reply::json(200, &json!([]))])
        .await?;
    let church = builder(&cx, server.base_url())
        .retry(stubborn)
        .build()
        .map_err(failed)?;
    contacts(&church.api()).await.map_err(failed)?;
    came(
        "a 503",
        &order(&server.received()),
        &["password", CONTACTS, CONTACTS],
    )?;

    let counterpart = cx.counterpart().await?;
    let api = client(&cx, counterpart.base_url())?.api();
    for query in [
        Query::new().filter(Filter::eq("No_Such_Column", 1).map_err(failed)?),
        Query::new().select(["No_Such_Column"]).map_err(failed)?,
        Query::new().order_by("No_Such_Column").map_err(failed)?,
    ] {
        let rows = api.get_records(&table("Contacts")?, &query).await;
        fails("a column that is not there", rows, ErrorKind::Query)?;
    }
    let requests = counterpart.control().requests().await?;
    came(
        "three mistakes",
        &recorded(&requests),
        &["password", CONTACTS, CONTACTS, CONTACTS],
    )
}
