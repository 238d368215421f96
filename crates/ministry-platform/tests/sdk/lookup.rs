//! The look-up of a client's secret: what a row must be, and what a rotated secret does.

use std::time::Duration;

use ministry_platform::{ErrorKind, oauth_core::Recovery};
use serde_json::json as value;

use crate::support::{Church, Seen, json, refusal, row, text, token};

/// A church that answers look-ups with `reply` and everything else with tokens.
async fn church(reply: (u16, String, &'static str)) -> Church {
    Church::new(move |request, n| {
        if request.is_table() {
            reply.clone()
        } else {
            token(format_args!("t{n}"))
        }
    })
    .await
}

#[tokio::test]
async fn only_exactly_one_row_will_do() {
    let secret = |id: &str| value!({"Client_ID": id, "Client_Secret": "s", "Is_Enabled": true});
    for (rows, kind) in [
        (value!([]), ErrorKind::ClientNotFound),
        (value!([secret("WANTED")]), ErrorKind::ClientNotFound),
        (value!([secret("wanted ")]), ErrorKind::ClientNotFound),
        (
            value!([{"Client_ID": null, "Client_Secret": "s"}]),
            ErrorKind::ClientNotFound,
        ),
        (value!([{"Client_Secret": "s"}]), ErrorKind::ClientNotFound),
        (
            value!([secret("wanted"), secret("wanted")]),
            ErrorKind::ClientAmbiguous,
        ),
        (
            value!([{"Client_ID": "wanted", "Client_Secret": null}]),
            ErrorKind::ClientSecretMissing,
        ),
        (
            value!([{"Client_ID": "wanted", "Client_Secret": ""}]),
            ErrorKind::ClientSecretMissing,
        ),
        (
            value!([{"Client_ID": "wanted", "Client_Secret": "  "}]),
            ErrorKind::ClientSecretMissing,
        ),
        (
            value!([{"Client_ID": "wanted"}]),
            ErrorKind::ClientSecretMissing,
        ),
        (
            value!([{"Client_ID": "wanted", "Client_Secret": "s", "Is_Enabled": false}]),
            ErrorKind::ClientDisabled,
        ),
        (
            value!([{"Client_ID": "wanted", "Client_Secret": "s", "Is_Enabled": 0}]),
            ErrorKind::ClientDisabled,
        ),
    ] {
        let church = church(json(200, &rows)).await;
        let authentication = church.authentication();
        let error = authentication
            .authenticate_client("wanted")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.recovery()),
            (kind, Recovery::FixConfiguration),
            "{rows}"
        );
        assert_eq!(
            church.order(),
            ["password", "GET /tables/dp_API_Clients"],
            "{rows}"
        );
        assert!(
            authentication.invalidate_token("wanted").await.is_err(),
            "a failure leaves nothing behind"
        );
    }
    for rows in [
        value!([secret("WANTED"), secret("wanted")]),
        value!([{"Client_ID": "wanted", "Client_Secret": "s"}]),
        value!([{"Client_ID": "wanted", "Client_Secret": "s", "Is_Enabled": null, "More": []}]),
    ] {
        let church = church(json(200, &rows)).await;
        assert_eq!(
            text(
                &church
                    .authentication()
                    .authenticate_client("wanted")
                    .await
                    .unwrap()
            ),
            "t2",
            "{rows}"
        );
    }
}

#[tokio::test]
async fn a_look_up_that_fails_says_how() {
    for (reply, kind, transient) in [
        (
            json(403, value!({"Message": "no right"})),
            ErrorKind::LookupRefused,
            false,
        ),
        (json(404, ""), ErrorKind::LookupRefused, false),
        (
            json(
                500,
                value!({"Message": "Invalid column name 'Is_Enabled'."}),
            ),
            ErrorKind::LookupRefused,
            false,
        ),
        (
            json(500, value!({"Message": "Timeout expired."})),
            ErrorKind::Server,
            true,
        ),
        (
            (200, "<html>".to_owned(), "text/html"),
            ErrorKind::Protocol,
            false,
        ),
        (json(200, value!({"value": []})), ErrorKind::Protocol, false),
        (json(200, value!(["x"])), ErrorKind::Protocol, false),
    ] {
        let church = church(reply.clone()).await;
        let error = church
            .authentication()
            .authenticate_client("wanted")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient()),
            (kind, transient),
            "{reply:?}"
        );
        assert_eq!(church.seen().len(), 2, "{reply:?}");
    }
    let church = Church::new(|_, _| refusal("invalid_grant")).await;
    let error = church
        .authentication()
        .authenticate_client("wanted")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused);
    assert_eq!(church.seen().len(), 1);
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_refused_before_any_request() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    for bad in [
        "",
        "a\nb",
        "a\0",
        "\u{7f}",
        "\u{85}",
        &"x".repeat(257),
        &"ä".repeat(129),
    ] {
        assert_eq!(
            authentication
                .authenticate_client(bad)
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::Usage,
            "{bad:?}"
        );
        assert!(authentication.api_as(bad).is_err());
    }
    assert!(church.seen().is_empty());
    authentication
        .authenticate_client(&"x".repeat(256))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_id_is_always_a_literal() {
    for (id, encoded) in [
        ("x' OR '1'='1", "x%27%27%20OR%20%27%271%27%27%3D%27%271"),
        ("O'Brien", "O%27%27Brien"),
        ("%27", "%2527"),
        ("a&b+c#d", "a%26b%2Bc%23d"),
        ("--;\\", "--%3B%5C"),
        ("ü’", "%C3%BC%E2%80%99"),
    ] {
        let church = church(json(200, value!([{"Client_ID": id, "Client_Secret": "s"}]))).await;
        church
            .authentication()
            .authenticate_client(id)
            .await
            .unwrap();
        let target = &church.seen()[1].target;
        assert!(
            target.ends_with(&format!("&$filter=Client_ID%20%3D%20%27{encoded}%27")),
            "{target}"
        );
    }
}

/// Answers client credentials with a token when they carry `right`, look-ups with `secret()`.
fn rotating(
    right: &'static str,
    secret: impl Fn(usize) -> &'static str + Send + Sync + 'static,
) -> impl Fn(&Seen, usize) -> (u16, String, &'static str) {
    let lookups = std::sync::atomic::AtomicUsize::new(0);
    move |request, n| match request {
        _ if request.is_table() => row(
            "c",
            secret(lookups.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        ),
        _ if request.has("grant_type=client_credentials")
            && !request.has(&format!("client_secret={right}")) =>
        {
            refusal("invalid_client")
        }
        _ => token(format_args!("t{n}")),
    }
}

#[tokio::test]
async fn a_refused_secret_is_read_again_once() {
    let church = Church::new(rotating(
        "new",
        |lookup| if lookup == 0 { "old" } else { "new" },
    ))
    .await;
    assert_eq!(
        text(
            &church
                .authentication()
                .authenticate_client("c")
                .await
                .unwrap()
        ),
        "t4"
    );
    assert_eq!(
        church.order(),
        [
            "password",
            "GET /tables/dp_API_Clients",
            "client_credentials",
            "GET /tables/dp_API_Clients",
            "client_credentials"
        ]
    );
}

#[tokio::test]
async fn a_secret_the_server_does_not_know_yet_is_told_about() {
    let church = Church::new(rotating("old", |_| "new")).await;
    let authentication = church.authentication();
    let error = authentication.authenticate_client("c").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientRefused);
    assert!(error.to_string().contains("two minutes"), "{error}");
    assert_eq!(
        error.recovery(),
        Recovery::Retry {
            after: Some(Duration::from_secs(120))
        }
    );
    assert_eq!(
        church.order(),
        [
            "password",
            "GET /tables/dp_API_Clients",
            "client_credentials",
            "GET /tables/dp_API_Clients"
        ],
        "the same secret is not sent again"
    );

    // Both secrets are wrong: two posts, then an end.
    let church = Church::new(rotating(
        "never",
        |lookup| if lookup == 0 { "a" } else { "b" },
    ))
    .await;
    let error = church
        .authentication()
        .authenticate_client("c")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientRefused);
    assert_eq!(church.seen().len(), 5);
}

#[tokio::test]
async fn another_refusal_of_a_client_is_final() {
    let church = Church::new(|request, _| match request {
        _ if request.is_table() => row("c", "s"),
        _ if request.has("grant_type=client_credentials") => refusal("unauthorized_client"),
        _ => token("t"),
    })
    .await;
    let error = church
        .authentication()
        .authenticate_client("c")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.recovery()),
        (ErrorKind::ClientRefused, Recovery::FixConfiguration)
    );
    assert_eq!(church.seen().len(), 3);
}

#[tokio::test]
async fn a_secret_is_kept_for_two_minutes_at_most() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    authentication.authenticate_client("c").await.unwrap();
    church.clock.advance(Duration::from_secs(119));
    authentication.invalidate_token("c").await.unwrap();
    authentication.authenticate_client("c").await.unwrap();
    assert_eq!(church.order()[3..], ["client_credentials"]);
    church.clock.advance(Duration::from_secs(1));
    authentication.invalidate_token("c").await.unwrap();
    authentication.authenticate_client("c").await.unwrap();
    assert_eq!(
        church.order()[4..],
        ["GET /tables/dp_API_Clients", "client_credentials"]
    );
}
