//! What a run says: a matrix for people, JSON for programs.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use crate::{Report, Status};

/// A matrix of groups by targets, then a line for each reason to skip and for each failure, then
/// the line `N passed, N failed, N skipped`. Without colours; all but the failures fit into 100
/// columns.
#[must_use]
pub fn matrix(report: &Report) -> String {
    let mut groups: Vec<&str> = Vec::new();
    let mut cells: BTreeMap<(&str, &str), (usize, usize, usize)> = BTreeMap::new();
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut text = String::new();
    for event in &report.events {
        let Some(row) = report.catalogue.get(event.id) else {
            continue;
        };
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
        let cell = cells.entry((&row.group, &event.target)).or_default();
        match &event.status {
            Status::Passed => cell.0 += 1,
            Status::Failed(_) => cell.1 += 1,
            Status::Skipped(reason) => {
                cell.2 += 1;
                reasons
                    .entry((&event.target, reason))
                    .or_default()
                    .push(event.id);
            }
        }
    }
    let _ = write!(text, "{:<28}", "passed/failed/skipped");
    for target in &report.targets {
        let _ = write!(text, " {target:>17.17}");
    }
    text.push('\n');
    for group in groups {
        let _ = write!(text, "{group:<28.28}");
        for target in &report.targets {
            let cell = match cells.get(&(group, target.as_str())) {
                Some((passed, failed, skipped)) => format!("{passed}/{failed}/{skipped}"),
                None => "-".to_owned(),
            };
            let _ = write!(text, " {cell:>17}");
        }
        text.push('\n');
    }
    for ((target, reason), ids) in reasons {
        let _ = writeln!(text, "skipped on {target}: {reason}");
        // An id and its blank take about nine columns.
        for line in ids.chunks(10) {
            let _ = writeln!(text, "    {}", line.join(" "));
        }
    }
    for event in &report.events {
        if let Status::Failed(why) = &event.status {
            let _ = writeln!(text, "FAILED {} on {}: {why}", event.id, event.target);
        }
    }
    let (passed, failed, skipped) = report.counts();
    let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
    text
}

/// The run as JSON: each row with its result on each target.
#[must_use]
pub fn json(report: &Report) -> Value {
    let mut rows: Vec<Value> = Vec::new();
    for row in report.catalogue.rows() {
        let mut results = serde_json::Map::new();
        for event in report.events.iter().filter(|event| event.id == row.id) {
            let result = match &event.status {
                Status::Passed => json!({"status": "passed"}),
                Status::Failed(why) => json!({"status": "failed", "reason": why}),
                Status::Skipped(why) => json!({"status": "skipped", "reason": why}),
            };
            results.insert(event.target.clone(), result);
        }
        if !results.is_empty() {
            rows.push(json!({
                "id": row.id, "group": row.group, "level": row.level, "source": row.source,
                "title": row.title, "required": row.required, "results": results,
            }));
        }
    }
    let (passed, failed, skipped) = report.counts();
    json!({"targets": report.targets, "passed": passed, "failed": failed, "skipped": skipped, "rows": rows})
}
