//! The life of codes and tokens against a short model: whatever is done in whatever order, the
//! server says what the model says, however often what it has in memory is lost on the way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole crate is tests; clippy sees that only of functions marked so"
)]

use proptest::{collection::vec, prelude::*, sample::Index};

#[cfg(feature = "postgres")]
#[path = "contexts/postgres_server.rs"]
mod postgres_server;

mod model {
    pub(crate) mod expected;
    pub(crate) mod system;
}

use model::{expected::Model, system::System};

/// What happens. An index names one of the codes or tokens so far.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A person consents, and the client gets a code.
    Authorize,
    /// A code is redeemed, by its client or another, with its verifier or another.
    Redeem {
        code: Index,
        by: Redeemer,
    },
    /// A refresh token is used, one of the last few or any, by its client or another.
    Refresh {
        token: Index,
        recent: bool,
        own: bool,
    },
    /// A token is revoked by its client.
    RevokeAccess(Index),
    RevokeRefresh(Index),
    /// Time goes by, in seconds.
    Advance(u64),
    /// What has ended is cleared away.
    Purge(usize),
    /// All that is in the server's memory is lost, and a new one starts with what is stored: for SQLite
    /// a copy of the files as they are at that moment.
    Crash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redeemer {
    Client,
    Stranger,
    Guesser,
}

fn event() -> impl Strategy<Value = Event> {
    let redeemer = prop_oneof![
        8 => Just(Redeemer::Client),
        1 => Just(Redeemer::Stranger),
        1 => Just(Redeemer::Guesser),
    ];
    // So that it is often the very second at which something ends.
    let seconds = prop_oneof![
        6 => Just(5_u64),
        4 => Just(10),
        2 => Just(60),
        4 => Just(300),
        1 => Just(1200),
    ];
    prop_oneof![
        3 => Just(Event::Authorize),
        6 => (any::<Index>(), redeemer).prop_map(|(code, by)| Event::Redeem { code, by }),
        8 => (any::<Index>(), any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(token, recent, own)| Event::Refresh { token, recent, own }),
        1 => any::<Index>().prop_map(Event::RevokeAccess),
        1 => any::<Index>().prop_map(Event::RevokeRefresh),
        4 => seconds.prop_map(Event::Advance),
        1 => (1..9_usize).prop_map(Event::Purge),
        2 => Just(Event::Crash),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

async fn agree(mut system: System, grace: u64, events: Vec<Event>) {
    let mut model = Model::new(grace);
    for event in events {
        model.step(&mut system, &event).await;
        model.check(&system).await;
    }
}

fn run(system: impl Future<Output = System>, grace: u64, events: Vec<Event>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .unwrap()
        .block_on(async { agree(system.await, grace, events).await });
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn memory(grace in prop_oneof![Just(0_u64), Just(10)], events in vec(event(), 1..60)) {
        run(async { System::in_memory(grace) }, grace, events);
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn sqlite(grace in prop_oneof![Just(0_u64), Just(10)], events in vec(event(), 1..60)) {
        run(System::in_sqlite(grace), grace, events);
    }
}

/// All cases share one database: whatever another one left there must not matter.
#[cfg(feature = "postgres")]
#[test]
fn postgres() {
    let database = std::sync::Arc::new(postgres_server::Server::start());
    let grace = prop_oneof![Just(0_u64), Just(10)];
    let outcome = proptest::test_runner::TestRunner::new(cases(32)).run(
        &(grace, vec(event(), 1..60)),
        |(grace, events)| {
            run(System::in_postgres(grace, database.clone()), grace, events);
            Ok(())
        },
    );
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}
