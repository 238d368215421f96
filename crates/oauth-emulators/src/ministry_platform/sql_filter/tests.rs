use serde_json::{Value, json};

use super::Filter;

const COLUMNS: &[&str] = &["Client_ID", "Client_Secret", "API_Client_ID"];

fn matching(filter: &str) -> Result<Vec<i64>, String> {
    let rows = [
        json!({"API_Client_ID": 1, "Client_ID": "demo", "Client_Secret": "s"}),
        json!({"API_Client_ID": 2, "Client_ID": "o'brien", "Client_Secret": null}),
        json!({"API_Client_ID": 10, "Client_ID": r"50%_[a]\x", "Client_Secret": "t"}),
    ];
    let filter = Filter::parse(filter, COLUMNS)?;
    let rows = rows.iter().filter_map(Value::as_object);
    Ok(rows
        .filter(|row| filter.matches(row))
        .filter_map(|row| row["API_Client_ID"].as_i64())
        .collect())
}

fn check(cases: &[(&str, &[i64])]) {
    for (filter, ids) in cases {
        assert_eq!(matching(filter), Ok(ids.to_vec()), "{filter}");
    }
}

#[test]
fn values_are_compared_as_sql_server_does() {
    check(&[
        ("Client_ID = 'demo'", &[1]),
        ("Client_ID='DEMO  '", &[1]),
        ("client_id = 'o''brien'", &[2]),
        ("Client_ID = ' demo'", &[]),
        ("Client_ID <> 'demo'", &[2, 10]),
        ("Client_ID != 'demo'", &[2, 10]),
        ("API_Client_ID < 2", &[1]),
        ("API_Client_ID <= 2", &[1, 2]),
        ("API_Client_ID > 2", &[10]),
        ("API_Client_ID >= '2'", &[2, 10]),
        ("API_Client_ID > -1.5", &[1, 2, 10]),
        ("API_Client_ID = 1 + 1", &[2]),
        ("Client_ID = 'de' + 'mo'", &[1]),
        ("Client_ID = 'de\\\nmo'", &[1]),
        ("Client_ID = 'de\\'+'\nmo'", &[]),
        ("Client_ID IN ('DEMO', 'o''brien')", &[1, 2]),
        ("API_Client_ID NOT IN (1, 2)", &[10]),
        ("1 = 0", &[]),
    ]);
}

#[test]
fn not_binds_before_and_and_before_or() {
    check(&[
        ("Client_ID = 'demo' AND API_Client_ID = 1", &[1]),
        ("Client_ID = 'demo' AND API_Client_ID = 2", &[]),
        ("1 = 1 OR 1 = 0 AND 1 = 0", &[1, 2, 10]),
        ("(1 = 1 OR 1 = 0) AND API_Client_ID = 2", &[2]),
        ("NOT API_Client_ID = 1 AND API_Client_ID < 10", &[2]),
        ("NOT (API_Client_ID = 1 OR API_Client_ID = 2)", &[10]),
        ("NOT NOT (API_Client_ID = 1)", &[1]),
        ("((((API_Client_ID = 1))))", &[1]),
    ]);
}

#[test]
fn null_is_neither_equal_nor_different() {
    check(&[
        ("Client_Secret IS NULL", &[2]),
        ("Client_Secret IS NOT NULL", &[1, 10]),
        ("Client_Secret = NULL", &[]),
        ("NOT Client_Secret = 's'", &[10]),
        ("Client_Secret NOT IN ('s', NULL)", &[]),
        ("Client_Secret + 'x' IS NULL", &[2]),
        ("Client_Secret = 's' OR API_Client_ID = 2", &[1, 2]),
        ("Client_Secret NOT LIKE 's'", &[10]),
    ]);
}

#[test]
fn like_has_wildcards_and_an_escape() {
    check(&[
        ("Client_ID LIKE 'DE%'", &[1]),
        ("Client_ID LIKE '%e%'", &[1, 2]),
        ("Client_ID LIKE 'dem_'", &[1]),
        ("Client_ID LIKE 'dem'", &[]),
        ("Client_ID LIKE '[a-f]e%'", &[1]),
        ("Client_ID LIKE '[^a-f]%'", &[2, 10]),
        ("Client_ID LIKE '%'", &[1, 2, 10]),
        (r"Client_ID LIKE '50\%\_\[a]\\%' ESCAPE '\'", &[10]),
        (r"Client_ID LIKE '%\%%' ESCAPE '\'", &[10]),
        ("Client_ID LIKE '%!_%' ESCAPE '!'", &[10]),
        ("Client_ID LIKE '%[a]%'", &[10]),
    ]);
}

#[test]
fn an_injection_works() {
    check(&[
        ("Client_ID = 'x' OR '1'='1'", &[1, 2, 10]),
        ("Client_ID = 'demo'--'", &[1]),
        ("Client_ID = 'x'' OR ''1''=''1'", &[]),
    ]);
}

#[test]
fn mistakes_are_told_in_sql_servers_words() {
    for (filter, message) in [
        ("Client_ID eq 'demo'", "Incorrect syntax near 'eq'."),
        ("API_Client_ID gt 1", "Incorrect syntax near 'gt'."),
        ("Client = 'demo'", "Invalid column name 'Client'."),
        ("Client_ID = 'o' brien", "Incorrect syntax near 'brien'."),
        (
            "Client_ID = 'demo",
            "Unclosed quotation mark after the character string.",
        ),
        ("Client_ID = 'a' ; DROP", "Incorrect syntax near ';'."),
        ("", "Incorrect syntax near the end of the filter."),
        ("(1 = 1", "Incorrect syntax near the end of the filter."),
        ("1 = 1)", "Incorrect syntax near ')'."),
        ("API_Client_ID NOT = 1", "Incorrect syntax near '='."),
        ("API_Client_ID IN ()", "Incorrect syntax near ')'."),
        ("API_Client_ID = 0x10", "Incorrect syntax near '0x10'."),
        (
            r"Client_ID LIKE 'a' ESCAPE 'ab'",
            "Incorrect syntax near 'ab'.",
        ),
        ("Client_ID = -'a'", "Incorrect syntax near 'a'."),
    ] {
        assert_eq!(matching(filter).unwrap_err(), message, "{filter}");
    }
}

#[test]
fn a_filter_may_nest_but_not_without_end() {
    let nested = |depth: usize, open: &str, close: &str| {
        matching(&format!(
            "{}1 = 1{}",
            open.repeat(depth),
            close.repeat(depth)
        ))
    };
    for (open, close) in [("(", ")"), ("NOT NOT ", ""), ("NOT (NOT (", "))")] {
        assert!(nested(20, open, close).is_ok(), "{open}");
        let error = nested(10_000, open, close).unwrap_err();
        assert!(error.contains("nested too deeply"), "{open}: {error}");
    }
}
