//! The look-up of a client's secret in the API Clients table.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{Authentication, Identity};
use crate::{Api, Error, ErrorKind, Filter, TableName, tables::Query};

/// The id of an API client, fit to be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(Arc<str>);

/// The longest client id, in bytes; the column holds 128 characters.
const LONGEST: usize = 256;

impl ClientId {
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(Error::usage(
                "a client id is empty, longer than 256 bytes or has a control character",
            ));
        }
        Ok(Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is asked for of a client, and no more: the table holds other secrets.
const COLUMNS: [&str; 3] = ["Client_ID", "Client_Secret", "Is_Enabled"];

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Client_ID")]
    client_id: Option<String>,
    #[serde(rename = "Client_Secret")]
    client_secret: Option<String>,
    #[serde(rename = "Is_Enabled")]
    is_enabled: Option<Value>,
}

impl Authentication {
    /// The secret of a client, at most two minutes old.
    pub(super) async fn client_secret(&self, id: &ClientId) -> Result<Arc<SecretString>, Error> {
        let begun = match self.0.secrets.get(id, self.clock()) {
            Ok(secret) => return Ok(secret),
            Err(begun) => begun,
        };
        // Nobody else looks this one up: it happens where the client's token is asked for.
        let secret = Arc::new(self.look_up(id).await?);
        self.0.secrets.put(id, &secret, begun);
        Ok(secret)
    }

    /// Forgets a secret that was refused.
    pub(super) fn drop_client_secret(&self, id: &ClientId, secret: &Arc<SecretString>) {
        self.0.secrets.remove(id, secret);
    }

    async fn look_up(&self, id: &ClientId) -> Result<SecretString, Error> {
        let table = TableName::new("dp_API_Clients")?;
        let query = Query::new()
            .select(COLUMNS)?
            .filter(Filter::eq("Client_ID", id.as_str())?);
        let rows = Api::new(self.clone(), Identity::Lookup)
            .rows(&table, &query)
            .await
            .map_err(Error::in_lookup)?;
        secret_of(id, rows)
    }
}

fn secret_of(id: &ClientId, rows: Vec<Row>) -> Result<SecretString, Error> {
    // SQL Server compares without case and without the blanks at the end; client ids don't.
    let mut rows = rows
        .into_iter()
        .filter(|row| row.client_id.as_deref() == Some(id.as_str()));
    let row = rows.next();
    if rows.next().is_some() {
        return Err(Error::new(
            ErrorKind::ClientAmbiguous,
            "several rows of the API Clients table have this client id",
        ));
    }
    let row = row.ok_or_else(|| {
        Error::new(
            ErrorKind::ClientNotFound,
            "no row of the API Clients table has exactly this client id",
        )
    })?;
    let secret = row.client_secret.map(SecretString::from);
    if matches!(row.is_enabled, Some(Value::Bool(false)))
        || row.is_enabled.and_then(|value| value.as_i64()) == Some(0)
    {
        return Err(Error::new(
            ErrorKind::ClientDisabled,
            "the API client is not enabled",
        ));
    }
    secret
        .filter(|secret| !secret.expose_secret().trim().is_empty())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::ClientSecretMissing,
                "the API client has no secret, or none that the look-up user may read",
            )
        })
}
