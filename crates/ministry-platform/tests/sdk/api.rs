//! Calls of the API: one token, renewed once, sent nowhere else.

use bytes::Bytes;
use ministry_platform::{
    ErrorKind, Filter, ProcedureName, TableName,
    oauth_core::{ErrorCode, Recovery, RetryPolicy},
    procedures::Parameters,
    tables::Query,
};
use serde_json::json as value;

use crate::support::{Church, json, refusal, row, token};

fn contacts() -> TableName {
    TableName::new("Contacts").unwrap()
}

#[tokio::test]
async fn records_are_asked_for_with_the_users_token() {
    let church = Church::new(|request, _| match request {
        _ if request.is_table() => json(200, value!([{"Contact_ID": 1}, {"Contact_ID": 2}])),
        _ => token("t"),
    })
    .await;
    let query = Query::new()
        .filter(Filter::eq("Last_Name", "O'Brien").unwrap())
        .top(2);
    let records = church
        .authentication()
        .api()
        .get_records(&contacts(), &query)
        .await
        .unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["Contact_ID"], 2);
    let seen = church.seen();
    assert_eq!(
        seen[1].target,
        "/ministryplatformapi/tables/Contacts?$filter=Last_Name%20%3D%20%27O%27%27Brien%27&$top=2"
    );
    assert_eq!(seen[1].authorization.as_deref(), Some("Bearer t"));
}

#[tokio::test]
async fn a_dead_token_is_renewed_once() {
    for dead in [
        json(401, ""),
        json(
            401,
            value!({"Message": "Authorization has been denied for this request."}),
        ),
        json(
            500,
            value!({"Message": "IDX10223: Lifetime validation failed. The token is expired."}),
        ),
        json(403, value!({"message": "the Token is expired"})),
        json(
            200,
            value!({"Message": "Signature validation failed. Unable to match keys."}),
        ),
    ] {
        let reply = dead.clone();
        let church = Church::new(move |request, n| match request.authorization.as_deref() {
            Some("Bearer t0") => reply.clone(),
            Some(_) => json(200, "[]"),
            None => token(format_args!("t{n}")),
        })
        .await;
        let api = church.authentication().api();
        assert!(
            api.get_records(&contacts(), &Query::new())
                .await
                .unwrap()
                .is_empty(),
            "{dead:?}"
        );
        api.get_records(&contacts(), &Query::new()).await.unwrap();
        assert_eq!(
            church.order(),
            [
                "password",
                "GET /tables/Contacts",
                "password",
                "GET /tables/Contacts",
                "GET /tables/Contacts"
            ]
        );
    }
}

#[tokio::test]
async fn a_second_refusal_ends_it() {
    let church = Church::new(|request, n| {
        if request.is_table() {
            json(401, "")
        } else {
            token(format_args!("t{n}"))
        }
    })
    .await;
    let error = church
        .authentication()
        .api()
        .get_records(&contacts(), &Query::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status().map(|status| status.as_u16())),
        (ErrorKind::Refused, Some(401))
    );
    assert_eq!(
        church.order(),
        [
            "password",
            "GET /tables/Contacts",
            "password",
            "GET /tables/Contacts"
        ]
    );
}

#[tokio::test]
async fn a_server_that_refuses_every_token_is_not_asked_for_one_at_every_call() {
    let church = Church::new(|request, n| {
        if request.is_table() {
            json(401, "")
        } else {
            token(format_args!("t{n}"))
        }
    })
    .await;
    let authentication = church.authentication();
    for calls in [5, 3] {
        let before = church.order().len();
        for _ in 0..calls {
            let api = authentication.api();
            let refused = api.get_records(&contacts(), &Query::new()).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        }
        let order = church.order().split_off(before);
        let logins = order.iter().filter(|step| *step == "password").count();
        // At first one to begin with, and each time one in the place of what was refused.
        assert_eq!(logins, if before == 0 { 2 } else { 1 }, "{order:?}");
        church.clock.advance(std::time::Duration::from_secs(30));
    }
}

#[tokio::test]
async fn a_clients_dead_token_costs_one_request_of_the_client() {
    let church = Church::new(|request, n| match request {
        _ if request.is_token() => token(format_args!("t{n}")),
        _ if request.target.contains("dp_API_Clients") => row("c", "s"),
        _ if request.authorization.as_deref() == Some("Bearer t2") => json(401, ""),
        _ => json(200, "[]"),
    })
    .await;
    let api = church.authentication().api_as("c").unwrap();
    api.get_records(&contacts(), &Query::new()).await.unwrap();
    assert_eq!(
        church.order()[3..],
        [
            "GET /tables/Contacts",
            "client_credentials",
            "GET /tables/Contacts"
        ]
    );
}

#[tokio::test]
async fn a_hundred_refusals_of_one_token_renew_it_once() {
    let church = Church::new(|request, n| match request.authorization.as_deref() {
        Some("Bearer t0") => json(401, ""),
        Some(_) => json(200, "[]"),
        None => token(format_args!("t{n}")),
    })
    .await;
    let authentication = church.authentication();
    authentication.authenticate().await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let api = authentication.api();
        calls.spawn(async move { api.get_records(&contacts(), &Query::new()).await.unwrap() });
    }
    calls.join_all().await;
    assert_eq!(
        church
            .order()
            .iter()
            .filter(|call| *call == "password")
            .count(),
        2
    );
}

#[tokio::test]
async fn nothing_is_sent_without_a_token() {
    for reply in [
        refusal("invalid_grant"),
        json(200, value!({"access_token": "", "token_type": "Bearer"})),
        json(200, value!({"access_token": "  ", "token_type": "Bearer"})),
    ] {
        let answer = reply.clone();
        let church = Church::new(move |_, _| answer.clone()).await;
        assert!(
            church
                .authentication()
                .api()
                .get_records(&contacts(), &Query::new())
                .await
                .is_err()
        );
        assert_eq!(church.order(), ["password"], "{reply:?}");
        assert!(
            church
                .seen()
                .iter()
                .all(|request| request.authorization.is_none())
        );
    }
}

#[tokio::test]
async fn a_query_that_is_wrong_is_not_sent_again() {
    let everything = RetryPolicy::default().with_statuses([500, 503]);
    for message in [
        "Ambiguous column name 'End_Date'.",
        "Incorrect syntax near the keyword 'AND'.",
        "Timeout expired.",
    ] {
        let church = Church::new(move |request, _| {
            if request.is_table() {
                json(500, value!({ "Message": message }))
            } else {
                token("t")
            }
        })
        .await;
        let api = church
            .builder()
            .retry(everything.clone())
            .build()
            .unwrap()
            .api();
        let error = api
            .get_records(&contacts(), &Query::new())
            .await
            .unwrap_err();
        let ours = message != "Timeout expired.";
        assert_eq!(
            error.kind(),
            if ours {
                ErrorKind::Query
            } else {
                ErrorKind::Server
            }
        );
        assert_eq!(error.recovery() == Recovery::FixConfiguration, ours);
        assert_eq!(
            error
                .core()
                .and_then(|core| core.oauth_error())
                .and_then(|error| error.description()),
            Some(message)
        );
        assert_eq!(church.order(), ["password", "GET /tables/Contacts"]);
    }
}

#[tokio::test]
async fn what_passes_is_waited_for_unless_it_changes_things() {
    let church = Church::new(|request, n| match request {
        _ if request.is_token() => token("t"),
        _ if n == 1 || request.method == "POST" => json(503, ""),
        _ => json(200, "[]"),
    })
    .await;
    let api = church.authentication().api();
    api.get_records(&contacts(), &Query::new()).await.unwrap();
    assert_eq!(church.seen().len(), 3);
    let procedure = ProcedureName::new("api_Do").unwrap();
    assert_eq!(
        api.call_procedure(&procedure, &Parameters::new())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Server
    );
    assert_eq!(church.seen().len(), 4, "a procedure is not repeated");
}

#[tokio::test]
async fn a_missing_role_is_a_refusal() {
    let church = Church::new(|request, _| {
        if request.is_table() {
            json(403, value!({"Message": "no role"}))
        } else {
            token("t")
        }
    })
    .await;
    let error = church
        .authentication()
        .api()
        .get_records(&contacts(), &Query::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.recovery()),
        (ErrorKind::Refused, Recovery::FixConfiguration)
    );
    assert_eq!(
        error.core().and_then(|core| core.code()),
        Some(&ErrorCode::InsufficientScope)
    );
    assert_eq!(church.seen().len(), 2);
}

#[tokio::test]
async fn a_procedure_gives_its_results() {
    let church = Church::new(|request, _| {
        if request.is_token() {
            token("t")
        } else {
            json(200, value!([[{"A": 1}], []]))
        }
    })
    .await;
    let parameters = Parameters::new().with("ContactId", 42).unwrap();
    let procedure = ProcedureName::new("api_Common_GetContacts").unwrap();
    let sets = church
        .authentication()
        .api()
        .call_procedure(&procedure, &parameters)
        .await
        .unwrap();
    assert_eq!((sets.len(), &sets[0][0]["A"]), (2, &value!(1)));
    let seen = church.seen();
    assert_eq!(
        seen[1].target,
        "/ministryplatformapi/procs/api_Common_GetContacts"
    );
    assert_eq!(
        (seen[1].method.as_str(), seen[1].body.as_str()),
        ("POST", r#"{"@ContactId":42}"#)
    );
    assert_eq!(seen[1].content_type.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn a_token_goes_to_this_api_alone() {
    let (church, elsewhere) = (Church::friendly().await, Church::friendly().await);
    let api = church.authentication().api();
    let get = |uri: String| http::Request::get(uri).body(Bytes::new()).unwrap();
    for bad in [
        format!("{}/ministryplatformapi/tables/x", elsewhere.url()),
        format!("{}/other", church.url()),
        format!("{}/ministryplatformapi", church.url()),
        format!("{}/ministryplatformapi.evil/tables", church.url()),
        format!("{}/ministryplatformapi/../other", church.url()),
        "/../other".to_owned(),
        "/%2e%2E/other".to_owned(),
    ] {
        assert_eq!(
            api.send(get(bad.clone())).await.unwrap_err().kind(),
            ErrorKind::Usage,
            "{bad}"
        );
    }
    assert!(church.seen().is_empty() && elsewhere.seen().is_empty());

    for good in [
        "/domain".to_owned(),
        format!("{}/ministryplatformapi/domain", church.url()),
    ] {
        api.send(get(good)).await.unwrap();
    }
    assert_eq!(church.order(), ["password", "GET /domain", "GET /domain"]);
}
