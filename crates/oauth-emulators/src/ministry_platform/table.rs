//! The rows behind the table API.

use std::sync::Mutex;

use oauth_server::RefreshRotation;
use serde_json::{Map, Value, json};

use crate::Client;
use crate::guard::lock;

/// One row: columns in the order they are shown.
pub(super) type Row = Map<String, Value>;

pub(super) const API_CLIENT_COLUMNS: &[&str] = &[
    "API_Client_ID",
    "Display_Name",
    "Client_ID",
    "Client_Secret",
    "Client_User_ID",
    "Redirect_URIs",
    "Access_Token_Lifetime",
    "Is_Enabled",
    "Is_Rotating_Refresh_Token",
];

pub(super) const CONTACT_COLUMNS: &[&str] = &[
    "Contact_ID",
    "Display_Name",
    "First_Name",
    "Last_Name",
    "Email_Address",
];

/// `dp_API_Clients`: each client's row with its secret in clear, as the API is believed to give
/// it, and the rows that a look-up must not trip over.
pub(super) struct ApiClients(Mutex<Vec<Row>>);

impl ApiClients {
    pub(super) fn new(clients: impl Iterator<Item = Client>) -> Self {
        let table = Self(Mutex::default());
        for client in clients {
            table.put(&client);
        }
        let mut rows = lock(&table.0);
        let mut second = row(&Client::new("twice").secret("twice-other"), rows.len());
        second.insert("Display_Name".to_owned(), "The other one".into());
        rows.push(second);
        let nosecret = row(&Client::new("nosecret"), rows.len());
        rows.push(nosecret);
        drop(rows);
        table
    }

    /// Adds the client's row, or changes what is there.
    pub(super) fn put(&self, client: &Client) {
        let mut rows = lock(&self.0);
        let known = rows
            .iter()
            .position(|row| row["Client_ID"] == client.client_id.as_str());
        match known {
            Some(index) => rows[index] = row(client, index),
            None => {
                let added = row(client, rows.len());
                rows.push(added);
            }
        }
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        lock(&self.0).clone()
    }
}

pub(super) fn contacts() -> Vec<Row> {
    [("John", "Doe"), ("Mary", "O'Brien"), ("Jörg", "Müller")]
        .into_iter()
        .enumerate()
        .map(|(index, (first, last))| {
            let values = [
                json!(index + 1),
                json!(format!("{last}, {first}")),
                json!(first),
                json!(last),
                json!(format!("{}@example.com", first.to_lowercase())),
            ];
            columns(CONTACT_COLUMNS, values)
        })
        .collect()
}

fn row(client: &Client, index: usize) -> Row {
    let values = [
        json!(index + 1),
        json!(client.client_id),
        json!(client.client_id),
        json!(client.exposed_secret()),
        json!(1),
        json!(client.redirect_uris().join(";")),
        json!(client.access_token_seconds.unwrap_or(3600)),
        json!(!client.disabled.unwrap_or(false)),
        json!(client.rotation() != Some(RefreshRotation::Keep)),
    ];
    columns(API_CLIENT_COLUMNS, values)
}

fn columns<const N: usize>(names: &[&str], values: [Value; N]) -> Row {
    let names = names.iter().map(|name| (*name).to_owned());
    names.zip(values).collect()
}
