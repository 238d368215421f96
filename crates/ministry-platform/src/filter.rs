//! Filters: pieces of an MS SQL `WHERE` clause, which is what `$filter` is (it is not OData).
//!
//! Column names are checked, values are literals: a text is in quotes with its own quotes doubled,
//! numbers and GUIDs are typed. No caller's text ever becomes SQL.
//!
//! ```
//! use ministry_platform::{Filter, filter::Literal};
//!
//! let filter = Filter::eq("Last_Name", "O'Brien")?.and(Filter::gt("Contact_ID", 100)?);
//! assert_eq!(filter.as_str(), "(Last_Name = 'O''Brien') AND (Contact_ID > 100)");
//! assert!(Literal::number("1 OR 1=1").is_err());
//! # Ok::<(), ministry_platform::Error>(())
//! ```

mod literal;

use std::fmt;

use crate::{ColumnName, Error};
pub use literal::Literal;

/// A condition on rows. `as_str` is SQL, not yet percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter(String);

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident, $operator:literal;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// A usage error when `column` is not a [`ColumnName`].
            pub fn $name(column: &str, value: impl Into<Literal>) -> Result<Self, Error> {
                Self::compare(column, $operator, &value.into())
            }
        )*
    };
}

impl Filter {
    comparisons! {
        /// The column equals the value. SQL Server compares texts without case and without the
        /// blanks at their end.
        eq, "=";
        /// The column is another value.
        ne, "<>";
        /// The column is less than the value.
        lt, "<";
        /// The column is at most the value.
        le, "<=";
        /// The column is more than the value.
        gt, ">";
        /// The column is at least the value.
        ge, ">=";
    }

    /// The column is one of the values; of none, it is never.
    ///
    /// # Errors
    /// A usage error when `column` is not a [`ColumnName`].
    pub fn one_of<V: Into<Literal>>(
        column: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, Error> {
        let column = ColumnName::new(column)?;
        let values: Vec<_> = values
            .into_iter()
            .map(|value| value.into().to_string())
            .collect();
        Ok(Self(match values.is_empty() {
            true => "1 = 0".to_owned(),
            false => format!("{column} IN ({})", values.join(", ")),
        }))
    }

    /// The column has no value.
    ///
    /// # Errors
    /// A usage error when `column` is not a [`ColumnName`].
    pub fn is_null(column: &str) -> Result<Self, Error> {
        Ok(Self(format!("{} IS NULL", ColumnName::new(column)?)))
    }

    /// The column's text starts with exactly `prefix`: `%`, `_` and `[` stand for themselves.
    ///
    /// # Errors
    /// A usage error when `column` is not a [`ColumnName`].
    pub fn starts_with(column: &str, prefix: &str) -> Result<Self, Error> {
        Self::like(column, &format!("{}%", literal::escape_like(prefix)))
    }

    /// The column's text contains exactly `part`: `%`, `_` and `[` stand for themselves.
    ///
    /// # Errors
    /// A usage error when `column` is not a [`ColumnName`].
    pub fn contains(column: &str, part: &str) -> Result<Self, Error> {
        Self::like(column, &format!("%{}%", literal::escape_like(part)))
    }

    /// Both are so.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(format!("({self}) AND ({other})"))
    }

    /// One of them, or both, are so.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(format!("({self}) OR ({other})"))
    }

    /// It is not so.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(format!("NOT ({self})"))
    }

    /// The SQL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn compare(column: &str, operator: &str, value: &Literal) -> Result<Self, Error> {
        Ok(Self(format!(
            "{} {operator} {value}",
            ColumnName::new(column)?
        )))
    }

    fn like(column: &str, pattern: &str) -> Result<Self, Error> {
        Ok(Self(format!(
            r"{} LIKE {} ESCAPE '\'",
            ColumnName::new(column)?,
            Literal::from(pattern)
        )))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values are whatever the caller looks for, often personal data.
        f.write_str("Filter(..)")
    }
}

#[cfg(test)]
mod tests;
