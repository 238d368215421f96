//! `$filter` is a piece of SQL's WHERE, not OData: comparisons, `LIKE` and `IN`, joined by AND, OR
//! and NOT.
//!
//! What a careless client builds out of foreign text works here as it would there, so that a
//! test sees the injection: `Client_ID = 'x' OR '1'='1'` matches every row.

mod expression;
mod like;
mod parser;
mod token;

use std::cmp::Ordering;

use super::table::Row;
use expression::Expression;
use like::Pattern;
use parser::Parser;

/// A condition on rows.
pub(super) struct Filter(Condition);

enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare(Expression, fn(Ordering) -> bool, Expression),
    IsNull(Expression),
    Like(Expression, Expression, Option<char>),
}

impl Filter {
    /// # Errors
    ///
    /// What SQL Server would say about it.
    pub(super) fn parse(filter: &str, columns: &[&str]) -> Result<Self, String> {
        Parser::new(filter, columns)?.whole().map(Self)
    }

    pub(super) fn matches(&self, row: &Row) -> bool {
        self.0.holds(row) == Some(true)
    }
}

impl Condition {
    /// `None` is SQL's UNKNOWN: nothing is equal to NULL, and nothing differs from it.
    fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Self::All(all) => deciding(all, row, false),
            Self::Any(any) => deciding(any, row, true),
            Self::Not(condition) => condition.holds(row).map(|holds| !holds),
            Self::Compare(left, fits, right) => {
                let (left, right) = (left.value(row)?, right.value(row)?);
                Some(fits(left.compare(&right)))
            }
            Self::IsNull(expression) => Some(expression.value(row).is_none()),
            Self::Like(text, pattern, escape) => {
                let (text, pattern) = (text.value(row)?, pattern.value(row)?);
                Some(Pattern::new(&pattern.into_text(), *escape).matches(&text.into_text()))
            }
        }
    }
}

/// What one of the conditions alone decides; without it, UNKNOWN if one is.
fn deciding(conditions: &[Condition], row: &Row, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for condition in conditions {
        match condition.holds(row) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

#[cfg(test)]
mod tests;
