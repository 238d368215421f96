//! The run as one page, complete in itself.

use askama::Template;

use super::{Tally, beside, groups, text, text::Part};
use crate::{Event, Exchange, Report, Row};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    all: Tally,
    targets: Vec<(&'a str, Tally)>,
    groups: Vec<Group<'a>>,
    beside: Vec<Beside<'a>>,
    seed: String,
}

/// A row that no case claims.
struct Beside<'a> {
    anchor: String,
    row: &'a Row,
    why: String,
    title: Vec<Part>,
    required: Vec<Part>,
    sources: Vec<Part>,
}

struct Group<'a> {
    title: &'a str,
    anchor: String,
    cells: Vec<Cell<'a>>,
}

struct Cell<'a> {
    target: &'a str,
    anchor: String,
    tally: Tally,
    rows: Vec<Line<'a>>,
}

struct Line<'a> {
    anchor: String,
    row: &'a Row,
    status: &'static str,
    reason: Option<&'a str>,
    title: Vec<Part>,
    required: Vec<Part>,
    sources: Vec<Part>,
    exchanges: &'a [Exchange],
    left_out: usize,
}

impl Line<'_> {
    /// How many exchanges there were.
    fn exchanged(&self) -> usize {
        self.exchanges.len() + self.left_out
    }
}

/// The run as an HTML page: the matrix, each cell leading to its rows, each row to its requirement,
/// its RFC sections and what went over the wire. It loads nothing.
///
/// # Errors
/// When the template cannot be filled.
pub fn html(report: &Report) -> Result<String, String> {
    let of = |target: &str| {
        let events = report.events.iter().filter(|event| event.target == target);
        Tally::of(events.map(|event| &event.status))
    };
    let page = Page {
        all: Tally::of(report.events.iter().map(|event| &event.status)),
        targets: report
            .targets
            .iter()
            .map(|target| (target.as_str(), of(target)))
            .collect(),
        groups: groups(report)
            .into_iter()
            .map(|(title, rows)| Group {
                title,
                anchor: anchor(title),
                cells: report
                    .targets
                    .iter()
                    .map(|target| cell(report, title, &rows, target))
                    .collect(),
            })
            .collect(),
        beside: beside(report)
            .into_iter()
            .map(|(row, why)| Beside {
                anchor: anchor(&row.id),
                row,
                why,
                title: text::marked(&row.title),
                required: text::marked(&row.required),
                sources: text::sources(&row.source),
            })
            .collect(),
        seed: report.seed.to_string(),
    };
    page.render()
        .map_err(|error| format!("report.html: {error}"))
}

fn cell<'a>(report: &'a Report, group: &str, rows: &[&'a Row], target: &'a str) -> Cell<'a> {
    let lines: Vec<(&Event, Line<'a>)> = rows
        .iter()
        .filter_map(|row| {
            let mut events = report.events.iter();
            let event = events.find(|event| event.id == row.id && event.target == target)?;
            Some((event, line(row, event)))
        })
        .collect();
    Cell {
        target,
        anchor: format!("{}-{}", anchor(group), anchor(target)),
        tally: Tally::of(lines.iter().map(|(event, _)| &event.status)),
        rows: lines.into_iter().map(|(_, line)| line).collect(),
    }
}

fn line<'a>(row: &'a Row, event: &'a Event) -> Line<'a> {
    Line {
        anchor: format!("{}-{}", anchor(&row.id), anchor(&event.target)),
        row,
        status: event.status.word(),
        reason: event.status.reason(),
        title: text::marked(&row.title),
        required: text::marked(&row.required),
        sources: text::sources(&row.source),
        exchanges: &event.exchanges,
        left_out: event.left_out,
    }
}

/// A name as a part of an address; no two names share one.
fn anchor(name: &str) -> String {
    let mut anchor = String::new();
    for character in name.chars() {
        match character {
            c if c.is_ascii_alphanumeric() || c == '-' || c == '.' => anchor.push(c),
            ' ' => anchor.push('_'),
            c => anchor.push_str(&format!("~{:x}", u32::from(c))),
        }
    }
    anchor
}
