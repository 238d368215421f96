use super::{super::schema, *};

fn empty() -> Connection {
    let mut sql = Connection::open_in_memory().unwrap();
    schema::migrate(&mut sql, 0).unwrap();
    sql
}

/// How SQLite would go about it.
fn plan(sql: &Connection, query: &str) -> String {
    let mut statement = sql.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
    let wanted = vec![rusqlite::types::Value::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(wanted), |row| row.get(3));
    let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
    steps.join("; ")
}

#[test]
fn what_is_listed_costs_what_is_listed() {
    let sql = empty();
    for (query, index) in [
        (DUE, "record_refresh_at"),
        (PURGE, "record_dead_at"),
        (FIRST_OWNERS, "record_owner"),
        (NEXT_OWNERS, "record_owner"),
    ] {
        let plan = plan(&sql, query);
        assert!(plan.contains(index), "{query}: {plan}");
        let sorted = plan.contains("B-TREE");
        assert!(!sorted, "the whole table is sorted: {query}: {plan}");
    }
    let scans = |query| plan(&sql, query).starts_with("SCAN") && query != FIRST_OWNERS;
    assert!(![DUE, PURGE, NEXT_OWNERS].into_iter().any(scans));
}

#[test]
fn a_time_is_kept_to_the_millisecond_and_never_later() {
    let second = Duration::from_secs(1);
    let epoch = SystemTime::UNIX_EPOCH;
    for (instant, kept) in [
        (epoch, 0),
        (epoch + second, 1000),
        (epoch - second, -1000),
        (epoch + Duration::from_micros(1999), 1),
        (epoch - Duration::from_micros(1), -1),
    ] {
        assert_eq!(millis(instant), kept, "{instant:?}");
    }
    for kept in [0, 1, -1, 253_402_300_799_999, -62_135_596_800_000] {
        assert_eq!(millis(time(kept)), kept);
    }
}
