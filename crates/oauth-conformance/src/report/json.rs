//! The run for programs, in the form that `docs/conformance.schema.json` describes.

use serde_json::{Map, Value, json};

use crate::Report;

/// The run as JSON: each row with its result on each target. `docs/conformance.schema.json` in the
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
        if !results.is_empty() {
            rows.push(json!({
                "id": row.id, "group": row.group, "level": row.level, "source": row.source,
                "title": row.title, "required": row.required, "results": results,
            }));
        }
    }
    let (passed, failed, skipped) = report.counts();
    json!({
        "version": 1, "targets": report.targets,
        "passed": passed, "failed": failed, "skipped": skipped, "rows": rows,
    })
}
