//! The SDK against the emulator: what the scripted tests assume, a whole server does.
#![cfg(any(feature = "rustls", feature = "rustls-ring", feature = "native-tls"))]

use std::{sync::Arc, time::Duration};

use ministry_platform::{
    Authentication, AuthenticationBuilder, ErrorKind, Filter, TableName,
    filter::Literal,
    oauth_core::{Token, clock::ManualClock},
    tables::Query,
};
use oauth_emulators::{Client, Emulator, RecordedRequest};

fn builder(church: &Emulator) -> AuthenticationBuilder {
    Authentication::builder(church.base_url())
        .username(church.username())
        .password(church.password())
        .client_id(church.client_id())
        .client_secret(church.client_secret())
}

#[tokio::test]
async fn every_row_of_the_table_is_what_it_is() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let authentication = builder(&church).build().unwrap();
    for good in ["demo-client", "o'brien", "awkward"] {
        authentication.authenticate_client(good).await.unwrap();
    }
    for (bad, kind) in [
        ("missing", ErrorKind::ClientNotFound),
        ("DEMO-CLIENT", ErrorKind::ClientNotFound),
        ("x' OR '1'='1", ErrorKind::ClientNotFound),
        ("twice", ErrorKind::ClientAmbiguous),
        ("nosecret", ErrorKind::ClientSecretMissing),
        ("disabled", ErrorKind::ClientDisabled),
    ] {
        assert_eq!(
            authentication
                .authenticate_client(bad)
                .await
                .unwrap_err()
                .kind(),
            kind,
            "{bad}"
        );
    }
    let wrong = builder(&church).password("wrong").build().unwrap();
    assert_eq!(
        wrong
            .authenticate_client("demo-client")
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::LoginRefused
    );
}

#[tokio::test]
async fn a_changed_secret_works_after_two_minutes() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let clock = ManualClock::at(church.clock().now());
    let authentication = builder(&church)
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    authentication
        .authenticate_client("demo-client")
        .await
        .unwrap();
    church
        .put_client(Client::new("demo-client").secret("changed"))
        .await
        .unwrap();

    // Within two minutes our copy and the server's are the old one: it still works.
    authentication
        .invalidate_token("demo-client")
        .await
        .unwrap();
    authentication
        .authenticate_client("demo-client")
        .await
        .unwrap();
    // Our copy is read again before the server reads its own.
    clock.advance(Duration::from_secs(120));
    authentication
        .invalidate_token("demo-client")
        .await
        .unwrap();
    let error = authentication
        .authenticate_client("demo-client")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientRefused);
    assert!(error.is_transient(), "{error:?}");
    church.clock().advance(Duration::from_secs(121));
    authentication
        .authenticate_client("demo-client")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refresh_token_is_used_and_rotated() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let clock = ManualClock::at(church.clock().now());
    let authentication = builder(&church)
        .clock(Arc::new(clock.clone()))
        .offline_access(true)
        .build()
        .unwrap();
    let mut before = authentication.authenticate().await.unwrap();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(3500));
        let after = authentication.authenticate().await.unwrap();
        assert_ne!(before.access_token(), after.access_token());
        assert!(after.refresh_token().is_some());
        before = after;
    }
    let requests = church.requests();
    let grants: Vec<_> = requests
        .iter()
        .flat_map(RecordedRequest::form)
        .filter(|(name, _)| name == "grant_type")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(
        grants,
        [
            "password",
            "refresh_token",
            "refresh_token",
            "refresh_token"
        ]
    );
}

#[tokio::test]
async fn a_token_that_was_revoked_elsewhere_is_renewed_on_the_way() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let (authentication, elsewhere) = (
        builder(&church).build().unwrap(),
        builder(&church).build().unwrap(),
    );
    let token = authentication.authenticate().await.unwrap();
    elsewhere.revoke(token.access_token()).await.unwrap();
    let query = Query::new()
        .select(["Display_Name"])
        .unwrap()
        .filter(Filter::eq("Last_Name", "Müller").unwrap());
    let records = authentication
        .api()
        .get_records(&TableName::new("Contacts").unwrap(), &query)
        .await
        .unwrap();
    assert_eq!(records[0]["Display_Name"], "Müller, Jörg");
    assert_ne!(
        authentication.authenticate().await.unwrap().access_token(),
        token.access_token()
    );
}

#[tokio::test]
async fn a_wrong_query_is_told_in_the_servers_words() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let api = builder(&church).build().unwrap().api();
    let query = Query::new().filter(Filter::eq("No_Such_Column", 1).unwrap());
    let error = api
        .get_records(&TableName::new("Contacts").unwrap(), &query)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query);
    let refused = api
        .get_records(&TableName::new("No_Such_Table").unwrap(), &Query::new())
        .await
        .unwrap_err();
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(404));
}

#[tokio::test]
async fn every_filter_that_can_be_written_can_be_run() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let api = builder(&church).build().unwrap().api();
    let (mary, john) = (
        || Filter::eq("First_Name", "Mary").unwrap(),
        || Filter::eq("First_Name", "John").unwrap(),
    );
    for (filter, ids) in [
        (Filter::ne("Last_Name", "Doe").unwrap(), &[2, 3][..]),
        (Filter::lt("Contact_ID", 2).unwrap(), &[1]),
        (Filter::le("Contact_ID", 2).unwrap(), &[1, 2]),
        (
            Filter::gt("Contact_ID", Literal::number("1.5").unwrap()).unwrap(),
            &[2, 3],
        ),
        (Filter::ge("Contact_ID", -3).unwrap(), &[1, 2, 3]),
        (Filter::one_of("Contact_ID", [3, 1]).unwrap(), &[1, 3]),
        (
            Filter::one_of("Last_Name", ["O'Brien", "Müller"]).unwrap(),
            &[2, 3],
        ),
        (Filter::one_of::<i32>("Contact_ID", []).unwrap(), &[]),
        (Filter::is_null("First_Name").unwrap(), &[]),
        (Filter::starts_with("Last_Name", "o'b").unwrap(), &[2]),
        (Filter::starts_with("Last_Name", "%").unwrap(), &[]),
        (Filter::contains("Email_Address", "@e").unwrap(), &[1, 2, 3]),
        (Filter::contains("Email_Address", "[a-z]").unwrap(), &[]),
        (Filter::contains("Email_Address", "_").unwrap(), &[]),
        (Filter::contains("Email_Address", "\\").unwrap(), &[]),
        (mary().or(john()), &[1, 2]),
        (mary().and(john()), &[]),
        (mary().or(john()).negated(), &[3]),
        (
            mary()
                .or(john())
                .and(Filter::gt("Contact_ID", 1).unwrap().negated()),
            &[1],
        ),
    ] {
        let query = Query::new().filter(filter.clone());
        let records = api
            .get_records(&TableName::new("Contacts").unwrap(), &query)
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", filter.as_str()));
        let found: Vec<_> = records
            .iter()
            .filter_map(|row| row["Contact_ID"].as_i64())
            .collect();
        assert_eq!(found, ids, "{}", filter.as_str());
    }
}

#[tokio::test]
async fn rows_are_sorted_skipped_and_counted() {
    let church = Emulator::ministry_platform().start().await.unwrap();
    let api = builder(&church).build().unwrap().api();
    let names = async |query: Query| -> Vec<String> {
        let records = api
            .get_records(&TableName::new("Contacts").unwrap(), &query)
            .await
            .unwrap();
        records
            .iter()
            .filter_map(|row| Some(row["Last_Name"].as_str()?.to_owned()))
            .collect()
    };
    let by_name = || Query::new().order_by("Last_Name").unwrap();
    assert_eq!(names(by_name()).await, ["Doe", "Müller", "O'Brien"]);
    assert_eq!(names(by_name().skip(1).top(1)).await, ["Müller"]);
    assert_eq!(
        names(Query::new().order_by_descending("Contact_ID").unwrap()).await,
        ["Müller", "O'Brien", "Doe"]
    );
    assert!(names(by_name().skip(9)).await.is_empty());
}
