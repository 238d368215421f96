//! What a condition speaks of: columns, literals, and their sums.

use std::cmp::Ordering;

use serde_json::Value;

use crate::ministry_platform::table::Row;

/// Operands joined by `+`.
#[derive(Clone)]
pub(super) struct Expression(pub(super) Vec<Operand>);

#[derive(Clone)]
pub(super) enum Operand {
    Column(String),
    Text(String),
    Number(f64),
    Null,
}

/// A value that is not NULL.
pub(super) enum Known {
    Text(String),
    Number(f64),
}

impl Expression {
    /// The value in this row; a sum with NULL in it is NULL.
    pub(super) fn value(&self, row: &Row) -> Option<Known> {
        let mut values = self.0.iter().map(|operand| operand.value(row));
        let first = values.next()??;
        values.try_fold(first, |sum, value| {
            Some(match (sum, value?) {
                (Known::Number(sum), Known::Number(value)) => Known::Number(sum + value),
                (sum, value) => Known::Text(sum.into_text() + &value.into_text()),
            })
        })
    }
}

impl Operand {
    fn value(&self, row: &Row) -> Option<Known> {
        match self {
            Self::Text(text) => Some(Known::Text(text.clone())),
            Self::Number(number) => Some(Known::Number(*number)),
            Self::Null => None,
            Self::Column(name) => match row.get(name)? {
                Value::Null => None,
                Value::Bool(bit) => Some(Known::Number(f64::from(u8::from(*bit)))),
                Value::Number(number) => number.as_f64().map(Known::Number),
                Value::String(text) => Some(Known::Text(text.clone())),
                other => Some(Known::Text(other.to_string())),
            },
        }
    }
}

impl Known {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) => Some(*number),
        }
    }

    /// Beside a number, a text is one too. Texts compare as in SQL Server's usual collation:
    /// without case and without trailing blanks.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => collated(left).cmp(&collated(right)),
            _ => match (self.number(), other.number()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            },
        }
    }
}

fn collated(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}
