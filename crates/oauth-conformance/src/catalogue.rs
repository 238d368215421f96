//! The catalogue: every requirement as a row of data, with an id that never changes its meaning.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The rows as they are written.
pub(crate) const TEXT: &str = include_str!("../catalogue.toml");

/// How much a row weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A MUST of a norm, or behaviour without which the feature is broken.
    Must,
    /// A SHOULD, or robustness.
    Should,
    /// A failure is a vulnerability, a leaked secret or a lost session.
    Security,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Security => "SEC",
        })
    }
}

/// One requirement.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// For instance `RSP-03`.
    pub id: String,
    /// For instance `B1. Token answer, members`.
    pub group: String,
    /// How much it weighs.
    pub level: Level,
    /// RFC number and section, or a dash.
    pub source: String,
    /// What is sent or received.
    pub title: String,
    /// What must be observed.
    pub required: String,
    /// Tests of the workspace that show it, where a case of this suite cannot: `FILE::NAME`.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Why no case claims it: what it is about is not built, or is shown where the suite cannot be.
    #[serde(default)]
    pub absent: Option<String>,
}

impl Row {
    /// The group's short name: `B1`.
    #[must_use]
    pub fn group_id(&self) -> &str {
        self.group.split('.').next().unwrap_or(&self.group)
    }
}

/// All rows, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    rows: Vec<Row>,
    by_id: BTreeMap<String, usize>,
}

impl Catalogue {
    /// The catalogue of this crate.
    ///
    /// # Errors
    /// A text when the data cannot be read or an id comes twice; a test keeps that from happening.
    pub fn load() -> Result<Self, String> {
        #[derive(Deserialize)]
        struct File {
            row: Vec<Row>,
        }

        let File { row: rows } =
            toml::from_str(TEXT).map_err(|error| format!("catalogue.toml: {error}"))?;
        let mut by_id = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            if by_id.insert(row.id.clone(), index).is_some() {
                return Err(format!("catalogue.toml: {} comes twice", row.id));
            }
        }
        Ok(Self { rows, by_id })
    }

    /// The row of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Row> {
        self.by_id.get(id).map(|index| &self.rows[*index])
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_every_case_claims_one() {
        let catalogue = Catalogue::load().unwrap();
        assert!(catalogue.rows().len() > 400, "{}", catalogue.rows().len());
        let mut claimed = std::collections::BTreeSet::new();
        for case in crate::cases() {
            assert!(
                catalogue.get(case.id).is_some(),
                "{} is not in the catalogue",
                case.id
            );
            assert!(claimed.insert(case.id), "{} is claimed twice", case.id);
        }
    }
}
