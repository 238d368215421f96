//! Stored procedures: parameters in, sets of rows out.
//!
//! ```no_run
//! # async fn call(api: ministry_platform::Api) -> Result<(), ministry_platform::Error> {
//! use ministry_platform::{ProcedureName, procedures::Parameters};
//!
//! let name = ProcedureName::new("api_Common_GetContacts")?;
//! let sets = api.call_procedure(&name, &Parameters::new().with("ContactId", 42)?).await?;
//! # Ok(())
//! # }
//! ```

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value};

use crate::{Api, ColumnName, Error, ProcedureName};

/// The rows of one result of a procedure.
pub type ResultSet = Vec<Map<String, Value>>;

/// The parameters of a stored procedure.
#[derive(Clone, Default, PartialEq)]
pub struct Parameters(Map<String, Value>);

impl Parameters {
    /// No parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the parameter `name`, written without its `@`.
    ///
    /// # Errors
    /// A usage error when it is not a name, or is `DomainID`, which the server fills in itself.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        if ColumnName::new(name).is_err() || name.contains('.') {
            return Err(Error::usage(
                "a procedure's parameter is not of the form [A-Za-z_][A-Za-z0-9_]*",
            ));
        }
        if name.eq_ignore_ascii_case("DomainID") {
            return Err(Error::usage(
                "the parameter DomainID is filled in by the server; leave it out",
            ));
        }
        self.0.insert(format!("@{name}"), value.into());
        Ok(self)
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({})", self.0.len())
    }
}

impl Api {
    /// Calls a stored procedure and gives its results.
    ///
    /// # Errors
    /// As [`Api::send`]. A procedure may change things: it is sent again only when nothing of it
    /// can have reached the server, or its token was refused.
    pub async fn call_procedure(
        &self,
        name: &ProcedureName,
        parameters: &Parameters,
    ) -> Result<Vec<ResultSet>, Error> {
        // Names and JSON values: there is nothing that could fail to serialize.
        let body = serde_json::to_vec(&parameters.0).unwrap_or_default();
        let mut request = http::Request::post(format!("/procs/{name}"))
            .body(Bytes::from(body))
            .map_err(|_| Error::usage("the procedure's name is not one that a URL can hold"))?;
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let response = self.send(request).await?;
        serde_json::from_slice(response.body())
            .map_err(|_| Error::protocol("the answer is not an array of results"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_named_and_the_servers_own_is_left_to_it() {
        let parameters = Parameters::new()
            .with("ContactId", 7)
            .and_then(|p| p.with("Name", "x"))
            .unwrap();
        assert_eq!(
            Value::from(parameters.0),
            serde_json::json!({"@ContactId": 7, "@Name": "x"})
        );
        for bad in ["", "@A", "a.b", "DomainID", "domainid", "a b"] {
            assert!(Parameters::new().with(bad, 1).is_err(), "{bad}");
        }
    }
}
