//! What a run says: a matrix for people, JSON for programs, JUnit for CI servers, a page for whoever
//! wants to see what went over the wire; and the catalogue as a document.

mod document;
mod html;
mod json;
mod junit;
mod terminal;
mod text;

pub use document::document;
pub use html::html;
pub use json::json;
pub use junit::junit;
pub use terminal::{matrix, matrix_in_colour};

use crate::{Report, Row, Status};

impl Status {
    /// `passed`, `failed` or `skipped`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Why it failed or was skipped.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

/// How many passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    fn of<'a>(all: impl IntoIterator<Item = &'a Status>) -> Self {
        let mut tally = Self::default();
        for status in all {
            match status {
                Status::Passed => tally.passed += 1,
                Status::Failed(_) => tally.failed += 1,
                Status::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }

    fn total(self) -> usize {
        self.passed + self.failed + self.skipped
    }

    /// The worst of it.
    fn word(self) -> &'static str {
        match self {
            Self { failed: 1.., .. } => "failed",
            Self { passed: 1.., .. } => "passed",
            _ => "skipped",
        }
    }
}

/// The groups that were run, in the catalogue's order, each with its rows.
fn groups(report: &Report) -> Vec<(&str, Vec<&Row>)> {
    let mut groups: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in report.catalogue.rows() {
        if !report.events.iter().any(|event| event.id == row.id) {
            continue;
        }
        match groups.iter_mut().find(|(group, _)| *group == row.group) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&row.group, vec![row])),
        }
    }
    groups
}

/// The rows that no case claims, in the catalogue's order, and where else they are shown or why not;
/// of a whole run, which they complete.
fn beside(report: &Report) -> Vec<(&Row, String)> {
    let rows = report.catalogue.rows().filter(|_| report.whole);
    rows.filter_map(|row| {
        let why = match (&row.absent, row.tests.as_slice()) {
            (_, [_, ..]) => format!("by cargo xtask test: {}", row.tests.join(", ")),
            (Some(why), []) => why.clone(),
            (None, []) => return None,
        };
        let ran = report.events.iter().any(|event| event.id == row.id);
        (!ran).then_some((row, why))
    })
    .collect()
}

#[cfg(test)]
mod tests;
