//! The run for programs, in the form that `docs/conformance.schema.json` describes.

use serde_json::{Map, Value, json};

use crate::Report;

/// The run as JSON: each row with its result on each target; of a whole run also the rows that no
/// case claims, with the tests that show them or why they are absent. `docs/conformance.schema.json` in the
/// repository says what is in it; `version` changes when a program that reads it would notice.
#[must_use]
pub fn json(report: &Report) -> Value {
    let mut rows: Vec<Value> = Vec::new();
    for row in report.catalogue.rows() {
        let mut results = Map::new();
        for event in report.events.iter().filter(|event| event.id == row.id) {
            let mut result = json!({
                "status": event.status.word(),
                "seconds": event.elapsed.as_secs_f64(),
            });
            if let Some(reason) = event.status.reason() {
                result["reason"] = reason.into();
            }
            results.insert(event.target.clone(), result);
        }
        let elsewhere = report.whole && (!row.tests.is_empty() || row.absent.is_some());
        if results.is_empty() && !elsewhere {
            continue;
        }
        let mut value = json!({
            "id": row.id, "group": row.group, "level": row.level, "source": row.source,
            "title": row.title, "required": row.required, "results": results,
        });
        if !row.tests.is_empty() {
            value["tests"] = row.tests.clone().into();
        }
        if let Some(why) = &row.absent {
            value["absent"] = why.clone().into();
        }
        rows.push(value);
    }
    let (passed, failed, skipped) = report.counts();
    json!({
        "version": 1, "seed": report.seed.to_string(), "targets": report.targets,
        "passed": passed, "failed": failed, "skipped": skipped, "rows": rows,
    })
}
