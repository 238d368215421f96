//! The catalogue as a page of documentation.

use std::fmt::Write;

use super::text::{Part, sources};
use crate::{Catalogue, Planned, Row};

/// The catalogue as Markdown: each row, its sources, and on which targets it is planned to run.
#[must_use]
pub fn document(catalogue: &Catalogue, planned: &[Planned]) -> String {
    let proven = |planned: &Planned, row: &Row| planned.id == row.id && planned.proves();
    let claimed =
        |row: &&Row| !row.tests.is_empty() || planned.iter().any(|planned| proven(planned, row));
    let mut text = format!(
        "# Conformance\n\n\
        <!-- Written by `cargo xtask conformance --write-docs` from catalogue.toml; a test compares. -->\n\n\
        What an OAuth 2.0 client and an authorization server must do, a row for each requirement. \
        `cargo xtask conformance` puts every provider of this workspace to it over real sockets; \
        [adding a provider](adding-a-provider.md) says how another one joins them. MUST is a MUST of \
        the norm, or behaviour without which the feature is broken; SHOULD is one of its SHOULDs, or \
        robustness; SEC is a vulnerability where it fails. An id never changes its meaning.\n\n\
        {} of {} rows have a test. *Proven on* names the targets that run it, in parentheses those \
        that lack what it needs, or the tests of `cargo xtask test` that show it, or why there is none. \
        Where a target is expected to fail, it says why, and the row counts as untested there.\n",
        catalogue.rows().filter(claimed).count(),
        catalogue.rows().len(),
    );
    let mut group = "";
    for row in catalogue.rows() {
        if row.group != group {
            group = &row.group;
            let _ = write!(
                text,
                "\n## {group}\n\n| id | level | what is sent or received | required | source | proven on |\n|---|---|---|---|---|---|\n"
            );
        }
        let on = planned.iter().filter(|planned| planned.id == row.id);
        let on: Vec<_> = on.map(|planned| cell(&planned.to_string())).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.id,
            row.level,
            cell(&row.title),
            cell(&row.required),
            links(&row.source),
            proof(row, on),
        );
    }
    text
}

/// Where it is shown, or why nowhere.
fn proof(row: &Row, mut on: Vec<String>) -> String {
    on.extend(row.tests.iter().map(|test| format!("`{test}`")));
    match (&row.absent, on.is_empty()) {
        (_, false) => on.join(", "),
        (Some(why), true) => cell(why),
        (None, true) => "–".to_owned(),
    }
}

/// A pipe would end the cell, and a `<` begin a tag; not in code, where only the pipe matters.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for (index, part) in text.replace('|', "\\|").split('`').enumerate() {
        if index > 0 {
            cell.push('`');
        }
        match index % 2 {
            0 => cell.push_str(&part.replace('<', "&lt;").replace('*', "\\*")),
            _ => cell.push_str(part),
        }
    }
    cell
}

fn links(source: &str) -> String {
    let parts = sources(source).into_iter().map(|part| match part {
        Part::Link(text, address) => format!("[{text}]({address})"),
        Part::Plain(text) | Part::Code(text) => text,
    });
    parts.collect()
}
