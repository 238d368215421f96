//! The Table API: rows of a table, as JSON objects.
//!
//! ```
//! use ministry_platform::{Filter, tables::Query};
//!
//! let query = Query::new()
//!     .select(["Contact_ID", "Display_Name"])?
//!     .filter(Filter::starts_with("Last_Name", "O'B")?)
//!     .order_by("Display_Name")?
//!     .top(10);
//! # Ok::<(), ministry_platform::Error>(())
//! ```

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Api, ColumnName, Error, Filter, TableName};

/// Which rows of a table, and which of their columns.
#[derive(Debug, Clone, Default)]
pub struct Query {
    select: Vec<ColumnName>,
    filter: Option<Filter>,
    order_by: Vec<String>,
    top: Option<u32>,
    skip: Option<u32>,
}

impl Query {
    /// Every row, with every column.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for these columns (`$select`).
    ///
    /// # Errors
    /// A usage error when one is not a [`ColumnName`].
    pub fn select<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        for column in columns {
            self.select.push(ColumnName::new(column)?);
        }
        Ok(self)
    }

    /// Asks for the rows that `filter` lets through (`$filter`).
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sorts by a column, after those that were named before (`$orderby`).
    ///
    /// # Errors
    /// A usage error when it is not a [`ColumnName`].
    pub fn order_by(mut self, column: &str) -> Result<Self, Error> {
        self.order_by.push(ColumnName::new(column)?.to_string());
        Ok(self)
    }

    /// As [`Query::order_by`], the largest first.
    ///
    /// # Errors
    /// A usage error when it is not a [`ColumnName`].
    pub fn order_by_descending(mut self, column: &str) -> Result<Self, Error> {
        self.order_by
            .push(format!("{} DESC", ColumnName::new(column)?));
        Ok(self)
    }

    /// Asks for at most so many rows (`$top`).
    #[must_use]
    pub fn top(mut self, rows: u32) -> Self {
        self.top = Some(rows);
        self
    }

    /// Leaves out the first rows (`$skip`).
    #[must_use]
    pub fn skip(mut self, rows: u32) -> Self {
        self.skip = Some(rows);
        self
    }

    /// The query part of the URL, with its `?`; empty when there is nothing to say.
    fn to_url_query(&self) -> String {
        let joined = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        let select: Vec<_> = self.select.iter().map(ToString::to_string).collect();
        let parameters = [
            ("$select", joined(&select)),
            ("$filter", self.filter.as_ref().map(ToString::to_string)),
            ("$orderby", joined(&self.order_by)),
            ("$top", self.top.map(|rows| rows.to_string())),
            ("$skip", self.skip.map(|rows| rows.to_string())),
        ];
        let parameters: Vec<_> = parameters
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", percent_encode(&value?))))
            .collect();
        if parameters.is_empty() {
            String::new()
        } else {
            format!("?{}", parameters.join("&"))
        }
    }
}

impl Api {
    /// The rows of `table` that `query` asks for; none is an empty vector.
    ///
    /// # Errors
    /// [`ErrorKind::Query`](crate::ErrorKind::Query) when the server cannot run the query, which
    /// is then not sent again; otherwise as [`Api::send`].
    pub async fn get_records(
        &self,
        table: &TableName,
        query: &Query,
    ) -> Result<Vec<Map<String, Value>>, Error> {
        self.rows(table, query).await
    }

    /// As [`Api::get_records`], each row read as a `T`.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        table: &TableName,
        query: &Query,
    ) -> Result<Vec<T>, Error> {
        let request = http::Request::get(format!("/tables/{table}{}", query.to_url_query()))
            .body(Bytes::new())
            .map_err(|_| Error::usage("the query is not one that a URL can hold"))?;
        let response = self.send(request).await?;
        // A parser's message would quote what it found.
        serde_json::from_slice(response.body())
            .map_err(|_| Error::protocol("the answer is not an array of rows"))
    }
}

/// Everything but letters, digits and `*-._` as `%XX`, once; a blank is `%20`, never `+`.
fn percent_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .map(|part| if part == "+" { "%20" } else { part })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_of_a_query_is_there_and_encoded_once() {
        let query = Query::new()
            .select(["Contact_ID", "Contact_ID_TABLE.First_Name"])
            .and_then(|query| query.order_by("A")?.order_by_descending("B"))
            .unwrap()
            .filter(Filter::eq("Last_Name", "O'Brien & 50%+ä").unwrap())
            .top(5)
            .skip(10);
        assert_eq!(
            query.to_url_query(),
            "?$select=Contact_ID%2CContact_ID_TABLE.First_Name\
             &$filter=Last_Name%20%3D%20%27O%27%27Brien%20%26%2050%25%2B%C3%A4%27\
             &$orderby=A%2CB%20DESC&$top=5&$skip=10"
        );
        assert_eq!(Query::new().to_url_query(), "");
    }

    proptest! {
        #[test]
        fn a_server_reads_back_the_very_filter(text in any::<String>()) {
            let filter = Filter::eq("Client_ID", text).unwrap();
            let part = Query::new().filter(filter.clone()).to_url_query();
            let encoded = part.strip_prefix("?$filter=").unwrap();
            prop_assert!(!encoded.contains('+') && encoded.is_ascii());
            let (_, read) = url::form_urlencoded::parse(&part.as_bytes()[1..]).next().unwrap();
            prop_assert_eq!(read.as_ref(), filter.as_str());
        }
    }
}
