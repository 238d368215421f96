//! What is kept, for how long, and who asks for it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use ministry_platform::{
    Authentication, ErrorKind,
    oauth_core::{
        manager::Event,
        store::{MemoryStore, Owner, Subject, TokenStore},
    },
};
use serde_json::json as value;
use tokio::task::JoinSet;

use crate::support::{Church, Gate, json, refusal, row, text, token, wanted};

async fn current(authentication: &Authentication) -> String {
    text(&authentication.authenticate().await.unwrap()).to_owned()
}

#[tokio::test]
async fn a_token_is_kept_until_a_margin_before_its_end() {
    // Lifetime, and for how many of its seconds it is handed out.
    for (lifetime, kept) in [
        (3600, 3300),
        (1800, 1500),
        (1500, 1200),
        (600, 480),
        (30, 24),
        (1, 24),
    ] {
        let church = Church::new(move |_, n| {
            json(
                200,
                value!({"access_token": format!("t{n}"), "expires_in": lifetime}),
            )
        })
        .await;
        let authentication = church.authentication();
        assert_eq!(current(&authentication).await, "t0");
        church
            .clock
            .advance(Duration::from_secs(kept) - Duration::from_millis(1));
        assert_eq!(current(&authentication).await, "t0", "{lifetime}");
        church.clock.advance(Duration::from_millis(1));
        assert_eq!(current(&authentication).await, "t1", "{lifetime}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_token_longer() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    assert_eq!(current(&authentication).await, "t0");
    church.clock.advance(Duration::from_secs(3300));
    church.clock.set(SystemTime::UNIX_EPOCH);
    assert_eq!(current(&authentication).await, "t1");
}

#[tokio::test]
async fn to_invalidate_is_for_one_client_id_and_clear_for_all() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    assert_eq!(
        authentication
            .invalidate_token("a")
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotCached
    );
    assert_eq!(
        authentication
            .invalidate_token("client")
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotCached
    );
    authentication.authenticate_client("a").await.unwrap();
    authentication.authenticate_client("b").await.unwrap();
    let before = church.seen().len();

    authentication.invalidate_token("a").await.unwrap();
    for id in ["a", "b", "a"] {
        authentication.authenticate_client(id).await.unwrap();
    }
    assert_eq!(current(&authentication).await, "t0");
    assert_eq!(
        church.order()[before..],
        ["client_credentials"],
        "one request, for the one"
    );

    authentication.invalidate_token("client").await.unwrap();
    authentication.authenticate().await.unwrap();
    authentication.authenticate_client("b").await.unwrap();
    assert_eq!(church.order()[before + 1..], ["password"]);
    assert!(authentication.invalidate_token("unknown").await.is_err());

    authentication.clear().await.unwrap();
    authentication.authenticate_client("b").await.unwrap();
    assert_eq!(
        church.order()[before + 2..],
        [
            "password",
            "GET /tables/dp_API_Clients",
            "client_credentials"
        ]
    );
}

#[tokio::test]
async fn two_churches_share_nothing_and_clones_everything() {
    let (one, other) = (Church::friendly().await, Church::friendly().await);
    let (a, b) = (one.authentication(), other.authentication());
    a.authenticate_client("c").await.unwrap();
    a.clone().authenticate_client("c").await.unwrap();
    assert_eq!((one.seen().len(), other.seen().len()), (3, 0));
    b.authenticate_client("c").await.unwrap();
    a.clear().await.unwrap();
    b.authenticate_client("c").await.unwrap();
    assert_eq!((one.seen().len(), other.seen().len()), (3, 3));
}

/// Starts `count` calls and waits until each of them waits.
async fn waiting(
    authentication: &Authentication,
    gate: &Gate,
    count: usize,
) -> JoinSet<Result<String, ErrorKind>> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let authentication = authentication.clone();
        calls.spawn(async move {
            let granted = authentication.authenticate().await;
            granted
                .map(|token| text(&token).to_owned())
                .map_err(|error| error.kind())
        });
    }
    gate.arrival().await;
    // One thread: after so many turns every task has had its own.
    for _ in 0..2 * count {
        tokio::task::yield_now().await;
    }
    calls
}

#[tokio::test]
async fn a_hundred_callers_make_one_request() {
    let church = Church::friendly().await;
    let gate = Gate::closed();
    let authentication = church.builder().transport(gate.clone()).build().unwrap();
    let calls = waiting(&authentication, &gate, 100).await;
    gate.open(100);
    let results = calls.join_all().await;
    assert!(
        results.len() == 100 && results.iter().all(|result| result == &Ok("t0".to_owned())),
        "{results:?}"
    );
    assert_eq!(church.seen().len(), 1);
}

#[tokio::test]
async fn a_hundred_callers_fail_by_one_request() {
    let church = Church::new(|_, n| {
        if n == 0 {
            refusal("invalid_grant")
        } else {
            token("t")
        }
    })
    .await;
    let gate = Gate::closed();
    let authentication = church.builder().transport(gate.clone()).build().unwrap();
    let calls = waiting(&authentication, &gate, 100).await;
    gate.open(101);
    let results = calls.join_all().await;
    assert!(
        results
            .iter()
            .all(|result| result == &Err(ErrorKind::LoginRefused)),
        "{results:?}"
    );
    assert_eq!(
        church.seen().len(),
        1,
        "a wrong password is not tried a hundred times"
    );
    assert_eq!(
        current(&authentication).await,
        "t",
        "the next caller tries again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads_make_one_request_for_each_client() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    let mut calls = JoinSet::new();
    for task in 0..100 {
        let authentication = authentication.clone();
        calls.spawn(async move {
            authentication
                .authenticate_client(["a", "b"][task % 2])
                .await
                .unwrap()
        });
    }
    calls.join_all().await;
    let mut order = church.order();
    order.sort();
    assert_eq!(
        order,
        [
            "GET /tables/dp_API_Clients",
            "GET /tables/dp_API_Clients",
            "client_credentials",
            "client_credentials",
            "password"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_an_ended_token_make_one_request() {
    let church = Church::friendly().await;
    let authentication = church.authentication();
    assert_eq!(current(&authentication).await, "t0");
    church.clock.advance(Duration::from_secs(3600));
    let mut calls = JoinSet::new();
    for _ in 0..10_000 {
        let authentication = authentication.clone();
        calls.spawn(async move { current(&authentication).await });
    }
    let granted = calls.join_all().await;
    assert!(granted.iter().all(|token| token == "t1"), "{granted:?}");
    assert_eq!(church.order(), ["password", "password"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_requests_at_once_do_not_wait_for_each_other() {
    // The user's token dies while more look-ups than may run at once wait for a new one.
    let church = Church::new(|request, n| match request.authorization.as_deref() {
        Some("Bearer t0") => json(401, ""),
        Some(_) => row(&wanted(&request.target), "row-secret"),
        None => token(format_args!("t{n}")),
    })
    .await;
    let authentication = church.authentication();
    assert_eq!(current(&authentication).await, "t0");
    let mut calls = JoinSet::new();
    for client in 0..200 {
        let authentication = authentication.clone();
        calls.spawn(async move {
            let id = format!("client-{client}");
            authentication.authenticate_client(&id).await.unwrap();
        });
    }
    calls.join_all().await;
    let logins = church.order().into_iter().filter(|step| step == "password");
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn a_refresh_token_in_an_unusable_answer_is_kept() {
    let church = Church::new(|_, n| match n {
        0 => json(
            200,
            value!({"access_token": "a0", "refresh_token": "r0", "expires_in": 1800}),
        ),
        1 => json(
            200,
            value!({"access_token": "a1", "refresh_token": "r1", "expires_in": -1}),
        ),
        _ => token("a2"),
    })
    .await;
    let authentication = church.builder().offline_access(true).build().unwrap();
    assert_eq!(current(&authentication).await, "a0");
    church.clock.advance(Duration::from_secs(1800));
    let error = authentication.authenticate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(current(&authentication).await, "a2");
    let seen = church.seen();
    assert!(seen[1].has("refresh_token=r0"), "{seen:?}");
    assert!(seen[2].has("refresh_token=r1"), "{seen:?}");
}

#[tokio::test]
async fn a_fetch_under_way_does_not_bring_back_what_was_invalidated() {
    for all in [false, true] {
        let church = Church::friendly().await;
        let gate = Gate::closed();
        let authentication = church.builder().transport(gate.clone()).build().unwrap();
        let calls = waiting(&authentication, &gate, 1).await;
        match all {
            true => authentication.clear().await.unwrap(),
            false => authentication.invalidate_token("client").await.unwrap(),
        }
        gate.open(2);
        assert_eq!(
            calls.join_all().await,
            [Ok("t0".to_owned())],
            "who asked before gets what was asked for"
        );
        assert_eq!(current(&authentication).await, "t1");
        assert_eq!(current(&authentication).await, "t1");
        assert_eq!(church.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_caller_that_is_dropped_breaks_nothing() {
    let church = Church::friendly().await;
    let gate = Gate::closed();
    let authentication = church.builder().transport(gate.clone()).build().unwrap();
    let mut first = waiting(&authentication, &gate, 1).await;
    let others = {
        let authentication = authentication.clone();
        tokio::spawn(async move { current(&authentication).await })
    };
    tokio::task::yield_now().await;
    first.abort_all();
    while first.join_next().await.is_some() {}
    gate.open(1);
    assert_eq!(others.await.unwrap(), "t0", "the request went on");
    assert_eq!(church.seen().len(), 1);
}

#[tokio::test]
async fn a_failed_renewal_leaves_a_token_that_works() {
    let church = Church::new(|_, n| match n {
        1 | 2 => json(500, value!({"Message": "Timeout expired."})),
        _ => token(format_args!("t{n}")),
    })
    .await;
    let authentication = church.authentication();
    assert_eq!(current(&authentication).await, "t0");
    church.clock.advance(Duration::from_secs(3300));
    assert_eq!(current(&authentication).await, "t0");
    assert_eq!(current(&authentication).await, "t0");
    assert_eq!(church.seen().len(), 2, "the next try is not at once");
    church.clock.advance(Duration::from_secs(300));
    assert_eq!(
        authentication.authenticate().await.unwrap_err().kind(),
        ErrorKind::Server,
        "it has ended"
    );
    assert_eq!(current(&authentication).await, "t3");
}

/// Another process: the same church, the same store.
#[tokio::test]
async fn with_a_store_the_tokens_outlive_the_process_and_are_forgotten_there_too() {
    let church = Church::friendly().await;
    let store = MemoryStore::with_clock(Arc::new(church.clock.clone()));
    let process = || church.builder().store(store.clone()).build().unwrap();
    let first = process();
    let mut events = first.events();
    first.authenticate_client("a").await.unwrap();
    assert_eq!(current(&first).await, "t0");
    let all = [
        "password",
        "GET /tables/dp_API_Clients",
        "client_credentials",
    ];
    assert_eq!(church.order(), all);
    let granted = std::iter::from_fn(|| events.try_next());
    let granted: Vec<_> = granted
        .filter_map(|event| match event {
            Event::Granted { owner, .. } => Some(owner.client_id().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(granted, ["client", "a"], "those of users and of clients");

    let second = process();
    assert_eq!(current(&second).await, "t0");
    second.authenticate_client("a").await.unwrap();
    assert_eq!(church.seen().len(), 3, "read from the store");

    // One that this process has not asked for.
    let third = process();
    third.invalidate_token("a").await.unwrap();
    let error = third.invalidate_token("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotCached);
    third.authenticate_client("a").await.unwrap();
    assert_eq!(church.order()[3..], all[1..], "the user's is as it was");

    let owners = store.owners(None, 10).await.unwrap();
    let owner = owners.into_iter().find(|owner| owner.client_id() == "a");
    let owner = owner.unwrap();
    let somebody = Owner::new("https://id.example.com", "a", Subject::Client);
    let other = store.load(&owner).await.unwrap().unwrap();
    store
        .save(&somebody, &other.record, None, None)
        .await
        .unwrap();
    process().clear().await.unwrap();
    assert_eq!(store.owners(None, 10).await.unwrap(), [somebody]);
    let fifth = process();
    fifth.authenticate_client("a").await.unwrap();
    assert_eq!(church.order()[5..], all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_with_one_store_make_one_request() {
    let church = Church::friendly().await;
    let store = MemoryStore::with_clock(Arc::new(church.clock.clone()));
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let process = church.builder().store(store.clone()).build().unwrap();
        calls.spawn(async move { current(&process).await });
    }
    let granted = calls.join_all().await;
    assert!(granted.iter().all(|token| token == "t0"), "{granted:?}");
    assert_eq!(church.seen().len(), 1);
}
