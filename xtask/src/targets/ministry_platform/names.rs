//! Rows about what stands in a query without quotes: names and numbers.

use ::ministry_platform::{
    ColumnName, ErrorKind, Filter, ProcedureName, TableName, filter::Literal, tables::Query,
};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Received, cases, ensure};

use super::{client, failed, fails, row, table, token};

pub(super) const CASES: &[Case] = cases! {
    "MP-10" [Need::Counterpart] => names_are_names,
    "MP-11" [Need::Counterpart] => numbers_are_numbers,
};

/// Tables, procedures and columns are names and nothing else, so that no path is walked and no SQL
/// is smuggled in; a refused one is not repeated.
async fn names_are_names(cx: Context) -> Outcome {
    let long = "a".repeat(129);
    for bad in [
        "",
        ".",
        "..",
        "../tables/dp_API_Clients",
        "tables/../x",
        "a/b",
        "a%2Fb",
        "..%2Fx",
        "a b",
        "1a",
        "a-b",
        "a.b.c",
        "a'b",
        "a;b",
        "a(b)",
        "*",
        "a,b",
        "a DESC",
        "a\0",
        "a\n",
        "ä",
        "1 OR 1=1",
        "(SELECT 1)",
        "Contact_ID) OR (1=1",
        "a--",
        long.as_str(),
    ] {
        for (what, error) in [
            ("a table", TableName::new(bad).err()),
            ("a procedure", ProcedureName::new(bad).err()),
            ("a column", ColumnName::new(bad).err()),
            ("$select", Query::new().select([bad]).err()),
            ("$orderby", Query::new().order_by(bad).err()),
            (
                "$orderby … DESC",
                Query::new().order_by_descending(bad).err(),
            ),
            ("a filter", Filter::eq(bad, 1).err()),
            ("a filter", Filter::starts_with(bad, "x").err()),
            ("a filter", Filter::one_of(bad, [1]).err()),
            ("a filter", Filter::is_null(bad).err()),
        ] {
            let sent = format!("{what} called {bad:?}");
            let error = error
                .ok_or_else(|| Failure::new(format!("{sent}: expected an error, got success")))?;
            let said = format!("{error} {error:?}");
            ensure!(
                error.kind() == ErrorKind::Usage && (bad.len() < 4 || !said.contains(bad)),
                "{sent}: expected a usage error that does not repeat it, got {said}"
            );
        }
    }

    // A look-up asks for constants, whatever it looks for.
    let id = "Client_Secret FROM x";
    let server = cx.scripted([token("u"), row(id, "s"), token("t")]).await?;
    client(&cx, server.base_url())?
        .authenticate_client(id)
        .await
        .map_err(failed)?;
    let received = server.received();
    let query = received
        .get(1)
        .and_then(Received::query)
        .unwrap_or_default();
    let select = query.split('&').next().unwrap_or_default();
    ensure!(
        select == "$select=Client_ID%2CClient_Secret%2CIs_Enabled"
            && query.matches('&').count() == 1,
        "a look-up: expected three constant columns and a filter, got {query}"
    );

    let counterpart = cx.counterpart().await?;
    let church = client(&cx, counterpart.base_url())?;
    let query = Query::new()
        .select(["First_Name", "Contact_ID"])
        .map_err(failed)?;
    let query = query
        .order_by_descending("Last_Name")
        .map_err(failed)?
        .order_by("Contact_ID")
        .map_err(failed)?;
    let rows = church
        .api()
        .get_records(&table("Contacts")?, &query)
        .await
        .map_err(failed)?;
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["First_Name"].as_str().unwrap_or_default())
        .collect();
    ensure!(
        names == ["Mary", "Jörg", "John"] && rows.iter().all(|row| row.len() == 2),
        "two columns by last name, backwards: expected Mary, Jörg, John, got {rows:?}"
    );
    let outside = http::Request::get("/tables/../../x").body(bytes::Bytes::new());
    let outside = outside.map_err(|_| Failure::new("the suite's own request is none"))?;
    fails(
        "a path that leaves the API",
        church.api().send(outside).await,
        ErrorKind::Usage,
    )?;
    Ok(())
}

/// Numbers and GUIDs are no texts: what is not one is refused, and not repeated.
async fn numbers_are_numbers(cx: Context) -> Outcome {
    for bad in [
        "1 OR 1=1",
        "1e3",
        "1E3",
        "0x10",
        "+7",
        " 7",
        "7 ",
        "\t7",
        "7\n",
        "",
        "-",
        "--1",
        "1-",
        ".5",
        "5.",
        "1.2.3",
        "1,000",
        "1_000",
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "NULL",
        "٣",
        "１",
        "1'",
        "1;",
        "1--",
        "1/*x*/",
        "(1)",
        "1\0",
        "123456789012345678901234567890123456789012",
    ] {
        not_repeated(&format!("the number {bad:?}"), bad, Literal::number(bad))?;
    }
    for bad in [
        "",
        "1 OR 1=1",
        "not-a-guid",
        "' OR '1'='1",
        "{ab12cd34-ef56-7890-abcd-ef1234567890}",
        "ab12cd34ef567890abcdef1234567890",
        "ab12cd34-ef56-7890-abcd-ef123456789",
        "ab12cd34-ef56-7890-abcd-ef123456789g",
        "ab12cd34-ef56-7890-abcd-ef12345678901",
        " ab12cd34-ef56-7890-abcd-ef1234567890",
        "ab12cd34-ef56-7890-abcd-ef1234567890' OR '1'='1",
        "ab12cd34-ef56-7890-abcd-ef12345678\u{e9}",
    ] {
        not_repeated(&format!("the GUID {bad:?}"), bad, Literal::guid(bad))?;
    }
    for (literal, sql) in [
        (Literal::number("7").map_err(failed)?, "7"),
        (Literal::number("-12.50").map_err(failed)?, "-12.50"),
        (Literal::from(-7), "-7"),
        (Literal::from(i64::MIN), "-9223372036854775808"),
        (Literal::from(true), "1"),
        (
            Literal::guid("AB12cd34-ef56-7890-abcd-ef1234567890").map_err(failed)?,
            "'AB12cd34-ef56-7890-abcd-ef1234567890'",
        ),
    ] {
        let got = literal.to_string();
        ensure!(got == sql, "a literal: expected {sql}, got {got}");
    }
    let counterpart = cx.counterpart().await?;
    let api = client(&cx, counterpart.base_url())?.api();
    let number = |text: &str| Literal::number(text).map_err(failed);
    let above = Filter::gt("Contact_ID", number("-12.50")?).map_err(failed)?;
    let below = Filter::le("Contact_ID", number("2")?).map_err(failed)?;
    let one_of = Filter::one_of("Contact_ID", [1, 3]).map_err(failed)?;
    for (filter, expected) in [
        (above.clone(), vec![1, 2, 3]),
        (above.and(below.clone()), vec![1, 2]),
        (below.negated().or(one_of), vec![1, 3]),
    ] {
        let sql = filter.to_string();
        let rows = api
            .get_records(&table("Contacts")?, &Query::new().filter(filter))
            .await
            .map_err(failed)?;
        let ids: Vec<_> = rows
            .iter()
            .filter_map(|row| row["Contact_ID"].as_i64())
            .collect();
        ensure!(ids == expected, "{sql}: expected {expected:?}, got {ids:?}");
    }
    Ok(())
}

fn not_repeated(
    sent: &str,
    bad: &str,
    result: Result<Literal, ::ministry_platform::Error>,
) -> Outcome {
    let error = fails(sent, result, ErrorKind::Usage)?;
    let said = format!("{error} {error:?}");
    ensure!(
        bad.len() < 4 || !said.contains(bad),
        "{sent}: expected it not to be repeated, got {said}"
    );
    Ok(())
}
