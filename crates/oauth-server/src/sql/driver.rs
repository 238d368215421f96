//! What the contexts ask of a database: the same statements for each.

use std::fmt;

use async_trait::async_trait;

use crate::{ContextError, GrantId};

/// A value of a column; there are only these kinds.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Null,
}

/// PostgreSQL's driver writes the parameters of every statement into its debug log: hashes of
/// passwords and what is known of people must not be there.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{} bytes", text.len()),
            Self::Int(number) => number.fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// One statement of a transaction. Its parameters are `$1`, `$2`, …
pub(super) struct Step {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Value>,
    /// If it changes no row, the whole transaction is rolled back.
    pub(super) required: bool,
}

impl Step {
    pub(super) fn new(sql: &'static str, params: Vec<Value>) -> Self {
        let required = false;
        Self {
            sql,
            params,
            required,
        }
    }

    pub(super) fn required(sql: &'static str, params: Vec<Value>) -> Self {
        let required = true;
        Self {
            sql,
            params,
            required,
        }
    }
}

#[async_trait]
pub(super) trait Driver: fmt::Debug + Send + Sync {
    /// Runs the steps in one transaction and says how many rows each changed; none if a required
    /// one changed none, and then nothing was changed at all.
    async fn transact(&self, steps: Vec<Step>) -> Result<Option<Vec<u64>>, ContextError>;

    async fn rows(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, ContextError>;

    /// Steps that keep others away from this grant, or from all, until the transaction ends. A
    /// database that runs one writing transaction at a time needs none.
    fn lock(&self, grant: Option<&GrantId>) -> Vec<Step>;
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_text_is_not_shown() {
        let shown = format!("{:?}", [Value::from("hush"), 7.into(), Value::Null]);
        assert_eq!(shown, "[4 bytes, 7, null]");
    }
}
