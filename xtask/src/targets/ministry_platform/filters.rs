//! The row about texts in filters, which are SQL.

use ::ministry_platform::{Filter, tables::Query};
use oauth_conformance::{Case, Context, Need, Outcome, Received, cases, ensure};
use serde_json::json;
use url::form_urlencoded;

use super::{ROW, client, failed, row, table, token};

pub(super) const CASES: &[Case] = cases! {
    "MP-05" [Need::Counterpart] => texts_are_literals,
};

/// What is not what it seems, in SQL or in a URL.
const HOSTILE: [&str; 20] = [
    "D'Arcy",
    "'",
    "''",
    "%27",
    "%2527",
    "x' OR '1'='1",
    "x'--",
    "--",
    "/* x */",
    ";",
    "'; DROP TABLE Contacts; --",
    "\\",
    "\\'",
    "a&b=c#d?e",
    "1+1",
    "50% [a-z]_",
    "\u{2019} OR \u{2019}1\u{2019}=\u{2019}1",
    "\u{2bc}\u{ff07}\u{201b}",
    "ü\u{10348}",
    "NULL",
];

/// What only a filter may hold: a client id with a control character is refused.
const CONTROLS: [&str; 6] = [
    "a\nb",
    "a\\\nb",
    "a\\\r\nb",
    "\0",
    "a\0' OR 1=1",
    "--\n' OR 1=1",
];

/// The value is quoted, with its quotes doubled, then the filter is percent-encoded once: for
/// every text it means "equal to exactly this text", and the client id of a look-up is one.
async fn texts_are_literals(cx: Context) -> Outcome {
    for id in HOSTILE {
        let server = cx.scripted([token("u"), row(id, "s"), token("t")]).await?;
        client(&cx, server.base_url())?
            .authenticate_client(id)
            .await
            .map_err(failed)?;
        means(&server.received(), "Client_ID", id)?;
    }
    let texts = HOSTILE.into_iter().chain(CONTROLS).map(str::to_owned);
    let texts: Vec<String> = texts.chain(random_texts()).collect();
    let server = cx.scripted([token("u"), row("c", "s")]).await?;
    let api = client(&cx, server.base_url())?.api();
    for text in &texts {
        let query = Query::new().filter(Filter::eq("Client_ID", text.as_str()).map_err(failed)?);
        api.get_records(&table("dp_API_Clients")?, &query)
            .await
            .map_err(failed)?;
        means(&server.received(), "Client_ID", text)?;
    }

    // The same against a server that runs the SQL: only the wanted one's secret fits its id.
    let counterpart = cx.counterpart().await?;
    // Client ids are printable ASCII (RFC 6749 appendix A.1); of the others there is no row.
    let ids = HOSTILE.into_iter().filter(|id| id.is_ascii());
    for id in ids.clone() {
        let body = json!({"client_id": id, "client_secret": "s", "redirect_uris": []});
        counterpart.control().post("clients", &body).await?;
    }
    let church = client(&cx, counterpart.base_url())?;
    for text in &texts {
        let filter = Filter::eq("Client_ID", text.as_str()).map_err(failed)?;
        let query = Query::new()
            .select(["Client_ID"])
            .map_err(failed)?
            .filter(filter);
        let rows = church
            .api()
            .get_records(&table("dp_API_Clients")?, &query)
            .await
            .map_err(failed)?;
        let found: Vec<_> = rows
            .iter()
            .filter_map(|row| row["Client_ID"].as_str())
            .collect();
        let expected: Vec<_> = ids
            .clone()
            // SQL Server's usual collation: without case and without trailing blanks.
            .filter(|id| id.eq_ignore_ascii_case(text.trim_end_matches(' ')))
            .collect();
        ensure!(
            found == expected,
            "rows where Client_ID is {text:?}: expected {expected:?}, got {found:?}"
        );
    }
    for id in ids {
        church.authenticate_client(id).await.map_err(failed)?;
    }
    Ok(())
}

/// Texts of the characters that matter, the same ones in every run.
fn random_texts() -> impl Iterator<Item = String> {
    const CHARACTERS: [char; 16] = [
        '\'', '"', '\\', '\n', '\r', '%', '2', '7', '-', ';', ' ', '+', '&', '\0', '\u{2bc}', 'a',
    ];
    let mut state = 1_u32;
    let mut below = move |limit: u32| {
        // The constants of Numerical Recipes; the upper bits are the better ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % limit
    };
    (0..200).map(move |_| {
        let length = below(12);
        (0..length)
            .map(|_| CHARACTERS[below(16) as usize])
            .collect()
    })
}

/// Ends the case unless the last look-up's filter is exactly `column = 'text'`.
fn means(received: &[Received], column: &str, text: &str) -> Outcome {
    let look_up = received.iter().rfind(|got| got.path() == ROW);
    let query = look_up.and_then(Received::query).unwrap_or_default();
    let raw = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("$filter="))
        .unwrap_or_default();
    ensure!(
        raw.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"%*-._".contains(&byte)),
        "{text:?}: expected everything else to be percent-encoded, got {raw}"
    );
    let pair = format!("filter={raw}");
    let sql = form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, sql)| sql.into_owned());
    let sql = sql.unwrap_or_default();
    let read = sql.strip_prefix(&format!("{column} = ")).and_then(literal);
    ensure!(
        read.as_deref() == Some(text),
        "{text:?}: expected a filter that means it, got {sql}"
    );
    Ok(())
}

/// The text that SQL Server reads in an expression that is nothing but literals and `+`.
fn literal(sql: &str) -> Option<String> {
    let mut value = String::new();
    let mut part = String::new();
    let mut rest = sql.strip_prefix('\'')?;
    loop {
        let (before, after) = rest.split_once('\'')?;
        part.push_str(before);
        if let Some(after) = after.strip_prefix('\'') {
            part.push('\'');
            rest = after;
            continue;
        }
        // A backslash at the end of a line continues the text on the next one.
        value.push_str(&part.replace("\\\r\n", "").replace("\\\n", ""));
        part.clear();
        if after.is_empty() {
            return Some(value);
        }
        rest = after.strip_prefix("+'")?;
    }
}
