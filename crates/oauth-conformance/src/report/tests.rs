use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    Catalogue, Credentials, Event, Exchange, Run, Target,
    report::text::{Part, marked, sources},
};
use oauth_core::{Endpoints, Error, GenericProvider, Provider};

#[derive(Debug)]
struct Plain;

impl Target for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn provider(&self, base: &str) -> Result<Arc<dyn Provider>, Error> {
        Ok(Arc::new(GenericProvider::new(Endpoints::new(&format!(
            "{base}/token"
        ))?)))
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("svc", "svc-secret")
    }
}

fn event(id: &'static str, target: &str, status: Status) -> Event {
    Event {
        id,
        target: target.to_owned(),
        status,
        exchanges: vec![Exchange {
            sent: "POST /token\n\n<script>alert(1)</script>".to_owned(),
            received: "200 \u{1b}".to_owned(),
        }],
        left_out: 3,
        elapsed: Duration::from_millis(1500),
    }
}

fn report() -> Report {
    let targets = ["one", "two & <three>", "four", "five", "six"];
    let failed = format!("sent x, expected y, got {}", "z".repeat(300));
    Report {
        catalogue: Catalogue::load().unwrap(),
        whole: false,
        seed: crate::Seed::new(4711),
        secrets: crate::Secrets::default(),
        targets: targets.map(str::to_owned).to_vec(),
        events: vec![
            event("RSP-01", targets[0], Status::Passed),
            event("RSP-01", targets[1], Status::Failed(failed)),
            event(
                "RSP-02",
                targets[1],
                Status::Skipped("has \"none\"".to_owned()),
            ),
            event("REQ-01", targets[4], Status::Passed),
        ],
    }
}

#[test]
fn the_matrix_fits_100_columns_and_has_colours_only_when_asked() {
    let text = matrix(&report());
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(text.ends_with("2 passed, 1 failed, 1 skipped\n"), "{text}");
    assert!(
        text.contains("FAILED RSP-01 on two") && text.contains(" six"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
    let coloured = matrix_in_colour(&report());
    assert!(coloured.contains("\x1b[31mFAILED\x1b[0m"), "{coloured}");
    let plain = ["\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"]
        .iter()
        .fold(coloured, |text, colour| text.replace(colour, ""));
    assert_eq!(plain, text);
}

#[test]
fn junit_counts_and_escapes() {
    let text = junit(&report()).unwrap();
    assert!(
        text.contains(r#"tests="4" failures="1" errors="0" skipped="1" time="6.000""#),
        "{text}"
    );
    assert!(
        !text.contains("<script>") && !text.contains('\x1b'),
        "{text}"
    );
    assert!(
        text.contains("<failure message=\"sent x") && text.contains("<skipped message="),
        "{text}"
    );
    assert!(
        text.contains("RSP-01 ") && text.contains("two &#38; &#60;three&#62;"),
        "{text}"
    );
}

#[test]
fn junit_is_read_as_it_is_meant() {
    let text = junit(&report()).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert!(root.has_tag_name("testsuites"));
    let suites: Vec<_> = root
        .children()
        .filter(roxmltree::Node::is_element)
        .collect();
    let names: Vec<_> = suites
        .iter()
        .filter_map(|it| it.attribute("name"))
        .collect();
    assert_eq!(names, ["one", "two & <three>", "four", "five", "six"]);
    let mut failures = 0;
    for suite in suites {
        let tests: Vec<_> = suite
            .children()
            .filter(|it| it.has_tag_name("testcase"))
            .collect();
        assert_eq!(suite.attribute("tests"), Some(&*tests.len().to_string()));
        for test in tests {
            assert!(test.attribute("classname").is_some_and(|it| !it.is_empty()));
            assert!(test.attribute("time").unwrap().parse::<f64>().is_ok());
            failures += test
                .children()
                .filter(|it| it.has_tag_name("failure"))
                .count();
        }
    }
    assert_eq!(failures, 1);
}

#[test]
fn every_report_names_the_seed_and_what_was_left_out() {
    let report = report();
    assert_eq!(json(&report)["seed"], "4711");
    let junit = junit(&report).unwrap();
    assert!(
        junit.contains(r#"<property name="seed" value="4711"/>"#),
        "{junit}"
    );
    assert!(junit.contains("… 3 exchanges more"), "{junit}");
    let page = html(&report).unwrap();
    for wanted in ["--seed 4711", "Exchange 1 of 4", "3 more are not kept"] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_whole_run_shows_the_rows_without_a_case() {
    let mut report = report();
    let rows = |report: &Report| json(report)["rows"].as_array().unwrap().len();
    assert_eq!(rows(&report), 3);
    assert!(!html(&report).unwrap().contains("Rows without a case"));
    report.whole = true;
    let without = report.catalogue.rows();
    let without = without.filter(|row| row.absent.is_some() || !row.tests.is_empty());
    let without: Vec<_> = without.cloned().collect();
    assert!(without.len() > 20, "{}", without.len());
    assert_eq!(rows(&report), 3 + without.len());
    let (junit, page) = (junit(&report).unwrap(), html(&report).unwrap());
    let skipped = format!("skipped=\"{}\"", 1 + without.len());
    assert!(junit.lines().nth(1).unwrap().contains(&skipped), "{junit}");
    for row in without {
        assert!(page.contains(&format!("id=\"{}\"", row.id)), "{}", row.id);
        assert!(junit.contains(&format!("name=\"{} ", row.id)), "{}", row.id);
    }
    assert!(page.contains("by cargo xtask test: ") && page.contains("not built: "));
}

#[test]
fn the_page_escapes_and_loads_nothing() {
    let text = html(&report()).unwrap();
    assert!(
        !text.contains("<script>alert"),
        "the page holds a script that was received"
    );
    for loads in [" src=", "<link", "@import", "url(", "http-equiv=\"refresh"] {
        assert!(!text.contains(loads), "{loads}");
    }
    let hrefs = text.match_indices("href=\"").map(|(at, _)| &text[at + 6..]);
    for href in hrefs {
        let href = href.split('"').next().unwrap();
        match href.strip_prefix('#') {
            Some(id) => assert!(text.contains(&format!("id=\"{id}\"")), "nothing at {href}"),
            None => assert!(
                href.starts_with("https://www.rfc-editor.org/rfc/rfc"),
                "{href}"
            ),
        }
    }
}

#[tokio::test]
async fn a_real_run_is_what_the_schema_says() {
    let run = Run::new(vec![Arc::new(Plain)]).only("RSP-03");
    let real = json(&run.start(|_| {}).await.unwrap());
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/conformance.schema.json"
    );
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new().compile(path, &mut schemas).unwrap();
    let mut whole = report();
    whole.whole = true;
    for value in [&real, &json(&report()), &json(&whole)] {
        schemas
            .validate(value, schema)
            .unwrap_or_else(|error| panic!("{error:#}"));
    }
    let mut wrong = real.clone();
    wrong["rows"][0]["results"]["plain"]["status"] = "perhaps".into();
    assert!(schemas.validate(&wrong, schema).is_err());
    wrong = real.clone();
    wrong["rows"][0]["results"] = serde_json::json!({});
    assert!(schemas.validate(&wrong, schema).is_err());
    wrong = real;
    wrong["more"] = 1.into();
    assert!(schemas.validate(&wrong, schema).is_err());
}

#[tokio::test]
async fn a_case_leaves_what_went_over_the_wire_without_its_secrets() {
    let run = Run::new(vec![Arc::new(Plain)]).only("RSP-03");
    let report = run.start(|_| {}).await.unwrap();
    let exchange = &report.events[0].exchanges[0];
    assert!(
        exchange.sent.starts_with("POST /token HTTP/1.1\n"),
        "{exchange:?}"
    );
    assert!(exchange.received.starts_with("HTTP/1.1 "), "{exchange:?}");
    let basic = "c3ZjOnN2Yy1zZWNyZXQ=";
    let all = format!("{exchange:?}");
    assert!(all.contains("[secret ") && !all.contains(basic), "{all}");
    assert!(!all.contains("conformance-access-token"), "{all}");
}

#[test]
fn texts_have_code_and_sources_have_addresses() {
    let code = Part::Code("a=b".to_owned());
    assert_eq!(marked("x `a=b`"), [Part::Plain("x ".to_owned()), code]);
    let links: Vec<_> = sources("6749 §3.1, §4.1.1; OIDC Core §3; –")
        .into_iter()
        .filter_map(|part| match part {
            Part::Link(text, address) => Some((text, address)),
            _ => None,
        })
        .collect();
    assert_eq!(links.len(), 3, "{links:?}");
    assert_eq!(
        links[2].1,
        "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1"
    );
}
