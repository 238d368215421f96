//! The run for CI servers: JUnit XML, a suite for each target, a test for each row.

use askama::Template;

use super::{Tally, beside};
use crate::{Event, Report};

#[derive(Template)]
#[template(path = "junit.xml")]
struct Document {
    all: Tally,
    seconds: String,
    seed: String,
    suites: Vec<Suite>,
}

struct Suite {
    name: String,
    tally: Tally,
    seconds: String,
    tests: Vec<Test>,
}

struct Test {
    class: String,
    name: String,
    seconds: String,
    status: &'static str,
    reason: String,
    sent_and_received: String,
}

/// The run as JUnit XML, in the form that Jenkins, GitLab and GitHub's actions read.
///
/// # Errors
/// When the template cannot be filled.
pub fn junit(report: &Report) -> Result<String, String> {
    let suites = report.targets.iter().map(|target| suite(report, target));
    let mut suites: Vec<_> = suites.collect();
    suites.extend(elsewhere(report));
    let document = Document {
        all: suites.iter().fold(Tally::default(), |all, suite| Tally {
            passed: all.passed + suite.tally.passed,
            failed: all.failed + suite.tally.failed,
            skipped: all.skipped + suite.tally.skipped,
        }),
        seconds: seconds(&report.events),
        seed: report.seed.to_string(),
        suites,
    };
    document
        .render()
        .map_err(|error| format!("junit.xml: {error}"))
}

fn suite(report: &Report, target: &str) -> Suite {
    let events = report.events.iter().filter(|event| event.target == target);
    let events: Vec<Event> = events.cloned().collect();
    let tests = events.iter().map(|event| {
        let row = report.catalogue.get(event.id);
        let group = row.map_or("", |row| row.group_id());
        let title = row.map_or("", |row| &row.title);
        Test {
            class: clean(&format!("{target}.{group}")),
            name: clean(&format!("{} {title}", event.id)),
            seconds: seconds(std::slice::from_ref(event)),
            status: event.status.word(),
            reason: clean(event.status.reason().unwrap_or_default()),
            sent_and_received: match event.status.word() {
                "failed" => clean(&exchanges(event)),
                _ => String::new(),
            },
        }
    });
    Suite {
        name: clean(target),
        tally: Tally::of(events.iter().map(|event| &event.status)),
        seconds: seconds(&events),
        tests: tests.collect(),
    }
}

/// The rows that no case claims, as skipped here.
fn elsewhere(report: &Report) -> Option<Suite> {
    const NAME: &str = "no case";

    let tests = beside(report).into_iter().map(|(row, why)| Test {
        class: clean(&format!("{NAME}.{}", row.group_id())),
        name: clean(&format!("{} {}", row.id, row.title)),
        seconds: seconds(&[]),
        status: "skipped",
        reason: clean(&why),
        sent_and_received: String::new(),
    });
    let tests: Vec<_> = tests.collect();
    (!tests.is_empty()).then(|| Suite {
        name: NAME.to_owned(),
        tally: Tally {
            skipped: tests.len(),
            ..Tally::default()
        },
        seconds: seconds(&[]),
        tests,
    })
}

fn exchanges(event: &Event) -> String {
    let exchanges = event.exchanges.iter();
    let texts: Vec<_> = exchanges
        .map(|exchange| format!("{}\n\n{}", exchange.sent, exchange.received))
        .collect();
    let texts = texts.join("\n\n");
    match event.left_out {
        0 => texts,
        more => format!("{texts}\n\n… {more} exchanges more"),
    }
}

fn seconds(events: &[Event]) -> String {
    let elapsed: std::time::Duration = events.iter().map(|event| event.elapsed).sum();
    format!("{:.3}", elapsed.as_secs_f64())
}

/// XML 1.0 §2.2 has characters that no document may hold, not even escaped.
fn clean(text: &str) -> String {
    text.replace(
        |c: char| (c.is_control() && !"\n\r\t".contains(c)) || c == '\u{fffe}' || c == '\u{ffff}',
        "\u{fffd}",
    )
}
