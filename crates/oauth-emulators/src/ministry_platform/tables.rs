//! `GET /tables/{table}`.

use std::cmp::Ordering;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::sql_filter::Filter;
use super::table::{API_CLIENT_COLUMNS, CONTACT_COLUMNS, Row, contacts};
use super::{API_SCOPE, MinistryPlatform, no_resource};
use crate::params::{Params, authorization};
use crate::reply;

impl MinistryPlatform {
    pub(super) async fn table(&self, request: &Request<Bytes>, name: &str) -> Response<Bytes> {
        let is_user = match self.caller(request).await {
            Ok(is_user) => is_user,
            Err(refused) => return refused,
        };
        let name = percent_decode_str(name).decode_utf8_lossy();
        let (columns, rows) = match name.to_ascii_lowercase().as_str() {
            // Only people with the right role may see the clients' secrets.
            "dp_api_clients" if is_user => (API_CLIENT_COLUMNS, self.api_clients.rows()),
            "dp_api_clients" => return message(StatusCode::FORBIDDEN, "Access denied."),
            "contacts" => (CONTACT_COLUMNS, contacts()),
            _ => return no_resource(),
        };
        match query(&Params::query(request), columns, rows) {
            Ok(rows) => reply::json(StatusCode::OK, &rows),
            // A mistake of the caller; the status says otherwise.
            Err(mistake) => message(StatusCode::INTERNAL_SERVER_ERROR, &mistake),
        }
    }

    /// Whether the token is a person's; the API's scope it has to have.
    async fn caller(&self, request: &Request<Bytes>) -> Result<bool, Response<Bytes>> {
        let denied = "Authorization has been denied for this request.";
        let token = authorization(request, "Bearer").filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| message(StatusCode::UNAUTHORIZED, denied))?;
        match self.authority.access_token(token).await {
            Ok(Some(record)) if !record.scope().contains(API_SCOPE) => {
                Err(message(StatusCode::FORBIDDEN, "Access denied."))
            }
            Ok(Some(record)) => Ok(record.subject().is_some()),
            Ok(None) => {
                let reason = match self.authority.is_expired(token).await {
                    true => "The access token is expired.",
                    false => "Signature validation failed.",
                };
                Err(message(StatusCode::UNAUTHORIZED, reason))
            }
            Err(_) => Err(message(
                StatusCode::SERVICE_UNAVAILABLE,
                "The service is unavailable.",
            )),
        }
    }
}

fn query(params: &Params, columns: &[&str], mut rows: Vec<Row>) -> Result<Value, String> {
    if let Some(filter) = params.get("$filter") {
        let filter = Filter::parse(filter, columns)?;
        rows.retain(|row| filter.matches(row));
    }
    if let Some(order) = params.get("$orderby") {
        sort(&mut rows, order, columns)?;
    }
    if let Some(skip) = params.get("$skip") {
        let skip: usize = skip
            .parse()
            .map_err(|_| "Incorrect syntax near 'OFFSET'.")?;
        rows.drain(..skip.min(rows.len()));
    }
    if let Some(top) = params.get("$top") {
        let top = top.parse().map_err(|_| "Incorrect syntax near 'TOP'.")?;
        rows.truncate(top);
    }
    let Some(select) = params.get("$select").filter(|select| select.trim() != "*") else {
        return Ok(rows.into_iter().map(Value::Object).collect());
    };
    let wanted = select
        .split(',')
        .map(|name| column(name.trim(), columns))
        .collect::<Result<Vec<_>, _>>()?;
    let selected = rows.into_iter().map(|row| {
        let members = wanted
            .iter()
            .map(|name| ((*name).to_owned(), row[*name].clone()));
        Value::Object(members.collect())
    });
    Ok(selected.collect())
}

/// Sorts by the columns of an ORDER BY. The sort is stable: the column named last goes first.
fn sort(rows: &mut [Row], order: &str, columns: &[&str]) -> Result<(), String> {
    for part in order.rsplit(',') {
        let mut words = part.split_whitespace();
        let name = column(words.next().unwrap_or_default(), columns)?;
        let direction = words.next().unwrap_or("ASC");
        let descending = direction.eq_ignore_ascii_case("DESC");
        let rest = (!descending && !direction.eq_ignore_ascii_case("ASC")).then_some(direction);
        if let Some(word) = rest.or_else(|| words.next()) {
            return Err(format!("Incorrect syntax near '{word}'."));
        }
        rows.sort_by(|left, right| {
            let order = compare(&left[name], &right[name]);
            if descending { order.reverse() } else { order }
        });
    }
    Ok(())
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_i64().cmp(&right.as_i64()),
        _ => sortable(left).cmp(&sortable(right)),
    }
}

/// NULL comes first, and letters sort without their case.
fn sortable(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.to_lowercase()),
        other => Some(other.to_string()),
    }
}

/// The column of that name, whatever its case.
pub(super) fn column<'c>(name: &str, columns: &[&'c str]) -> Result<&'c str, String> {
    columns
        .iter()
        .copied()
        .find(|column| column.eq_ignore_ascii_case(name))
        .ok_or_else(|| format!("Invalid column name '{name}'."))
}

fn message(status: StatusCode, message: &str) -> Response<Bytes> {
    reply::json(status, &json!({"Message": message}))
}
