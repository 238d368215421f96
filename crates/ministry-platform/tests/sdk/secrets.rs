//! Secrets are planted everywhere, and everything that is printed is searched for them.

use std::{
    error::Error as _,
    fmt::Debug,
    io,
    sync::{Arc, Mutex},
};

use ministry_platform::{
    Authentication, Credentials, Filter, TableName, procedures::Parameters, tables::Query,
};
use serde_json::json as value;

use crate::support::{Church, json, row, token};

const PLANTED: &str = "PLANTED";

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn add(&self, shown: impl Debug) {
        self.0
            .lock()
            .unwrap()
            .extend(format!("{shown:?}\n").into_bytes());
    }

    fn error(&self, error: &ministry_platform::Error) {
        self.add(error);
        self.0
            .lock()
            .unwrap()
            .extend(error.to_string().into_bytes());
        let mut source = error.source();
        while let Some(inner) = source {
            self.0
                .lock()
                .unwrap()
                .extend(format!("{inner} {inner:?}\n").into_bytes());
            source = inner.source();
        }
    }
}

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every call of the crate, everything it gives printed.
async fn every_flow(authentication: &Authentication, printed: &Printed) {
    macro_rules! show {
        ($result:expr) => {
            match $result {
                Ok(shown) => printed.add(shown),
                Err(error) => printed.error(&error),
            }
        };
    }
    let api = authentication.api();
    let login = Credentials::new("u", "PLANTED-other").with_client("c", "PLANTED-other-secret");
    let query = Query::new().filter(Filter::eq("A", "PLANTED-value").unwrap());
    let parameters = Parameters::new().with("A", "PLANTED-value").unwrap();
    printed.add((authentication, &api, &login, &query, &parameters));
    show!(authentication.authenticate().await);
    show!(authentication.authenticate_with(&login).await);
    show!(authentication.authenticate_client("c").await);
    show!(
        api.get_records(&TableName::new("T").unwrap(), &query)
            .await
            .map(|rows| rows.len())
    );
    show!(
        api.call_procedure(&"api_P".parse().unwrap(), &Parameters::new())
            .await
            .map(|sets| sets.len())
    );
    let other = ministry_platform::oauth_core::AccessToken::new("PLANTED-token").unwrap();
    show!(authentication.valid_token(&other).await);
    show!(authentication.userinfo(&other).await);
    show!(authentication.revoke(&other).await);
}

#[tokio::test]
async fn nothing_secret_is_ever_printed() {
    let printed = Printed::default();
    let writer = printed.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // While there is just one, what another test's thread comes to first is asked of that thread's,
    // which is none, and is off for everybody from then on.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());

    for step in 0..9 {
        let church = Church::new(move |request, _| {
            let call = if request.is_token() {
                if request.has("grant_type=password") {
                    1
                } else {
                    2
                }
            } else if request.target.contains("dp_API_Clients") {
                3
            } else {
                4
            };
            // A server that repeats everything it was sent.
            let sent = format!("{} {}", request.body, request.authorization.as_deref().unwrap_or_default());
            let leak = value!({"error": "invalid_client", "error_description": sent, "access_token": "PLANTED-answer"});
            let message = value!({"Message": format!("bad column {sent}"), "Detail": sent});
            match (step, call) {
                (1, 1) | (2, 2) => json(400, &leak),
                (3, 3 | 4) => json(500, &message),
                (4, 3 | 4) => json(401, &message),
                (5, 1 | 2) | (6, 4) => json(200, "{\"access_token\":\"PLANTED-answer\"} x"),
                (7, 3) => json(
                    200,
                    "[{\"Client_ID\":\"c\",\"Client_Secret\":\"PLANTED-row\"} x",
                ),
                (8, 2) => json(
                    200,
                    value!({"access_token": "PLANTED-answer", "scope": {"PLANTED": 1}}),
                ),
                (_, 1) => token("PLANTED-user-token"),
                (_, 2) => token("PLANTED-client-token"),
                (_, 3) => row("c", "PLANTED-row"),
                _ => json(200, "[]"),
            }
        })
        .await;
        let builder = church
            .builder()
            .password("PLANTED-pass")
            .client_secret("PLANTED-secret")
            .lookup_user("l", "PLANTED-lookup");
        printed.add(&builder);
        every_flow(&builder.build().unwrap(), &printed).await;
        assert!(
            church.seen().iter().all(|request| !request
                .target
                .replace("PLANTED-value", "")
                .contains(PLANTED)),
            "a secret in a URL"
        );
    }
    let printed = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
    let found = printed.lines().find(|line| line.contains(PLANTED));
    assert_eq!(found, None);
    assert!(
        printed.contains("request failed") && printed.contains("ClientRefused"),
        "something was printed"
    );
}
