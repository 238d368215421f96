//! The matrix for a terminal of 100 columns.

use std::{collections::BTreeMap, fmt::Write};

use super::{Tally, groups};
use crate::{Report, Status};

const COLUMNS: usize = 100;

/// How many targets there is room for beside the groups; more go into a matrix of their own.
const TARGETS: usize = 4;

/// A matrix of groups by targets, then each reason to skip and each failure, then the line
/// `N passed, N failed, N skipped`. No line is longer than 100 columns.
#[must_use]
pub fn matrix(report: &Report) -> String {
    write(report, false)
}

/// As [`matrix`], with the colours of a terminal.
#[must_use]
pub fn matrix_in_colour(report: &Report) -> String {
    write(report, true)
}

fn write(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    let groups = groups(report);
    for targets in report.targets.chunks(TARGETS) {
        let _ = write!(text, "{:<28}", "passed/failed/skipped");
        for target in targets {
            let _ = write!(text, " {target:>17.17}");
        }
        text.push('\n');
        for (group, rows) in &groups {
            let _ = write!(text, "{group:<28.28}");
            for target in targets {
                let tally = Tally::of(
                    report
                        .events
                        .iter()
                        .filter(|event| {
                            event.target == *target && rows.iter().any(|row| row.id == event.id)
                        })
                        .map(|event| &event.status),
                );
                let Tally {
                    passed,
                    failed,
                    skipped,
                } = tally;
                let cell = match tally.total() {
                    0 => "-".to_owned(),
                    _ => format!("{passed}/{failed}/{skipped}"),
                };
                let _ = write!(
                    text,
                    " {}",
                    paint(colours, tally.word(), &format!("{cell:>17}"))
                );
            }
            text.push('\n');
        }
    }
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for event in &report.events {
        if let Status::Skipped(reason) = &event.status {
            let ids = reasons.entry((&event.target, reason)).or_default();
            ids.push(event.id);
        }
    }
    for ((target, reason), ids) in reasons {
        wrap(&mut text, &format!("skipped on {target}: {reason}"));
        wrap(&mut text, &format!("    {}", ids.join(" ")));
    }
    for event in &report.events {
        if let Status::Failed(why) = &event.status {
            let mut failure = String::new();
            wrap(
                &mut failure,
                &format!("FAILED {} on {}: {why}", event.id, event.target),
            );
            text.push_str(&failure.replacen("FAILED", &paint(colours, "failed", "FAILED"), 1));
        }
    }
    let (passed, failed, skipped) = report.counts();
    let word = if failed > 0 { "failed" } else { "passed" };
    let counts = format!("{passed} passed, {failed} failed, {skipped} skipped");
    let _ = writeln!(text, "{}", paint(colours, word, &counts));
    text
}

fn paint(colours: bool, word: &str, text: &str) -> String {
    let colour = match word {
        _ if !colours => return text.to_owned(),
        "failed" => 31,
        "passed" => 32,
        _ => 2,
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// Adds a line, going on in indented ones where it is too long; what is longer than a line is cut
/// into pieces.
fn wrap(text: &mut String, line: &str) {
    let mut room = COLUMNS;
    let indent = line.len() - line.trim_start().len();
    text.push_str(&line[..indent]);
    room -= indent;
    let mut first = true;
    for word in line.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !first && word.len() + 1 > room {
            text.push_str("\n    ");
            room = COLUMNS - 4;
            first = true;
        }
        if !first {
            text.push(' ');
            room -= 1;
        }
        while word.len() > room {
            let rest = word.split_off(room);
            text.extend(word);
            text.push_str("\n    ");
            room = COLUMNS - 4;
            word = rest;
        }
        room -= word.len();
        text.extend(word);
        first = false;
    }
    text.push('\n');
}
