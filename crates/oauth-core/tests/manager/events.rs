//! What is told of a token's life, to whom, and that no token is in it.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use oauth_core::{
    AccessToken,
    manager::{Event, Events},
};
use tracing::{
    Dispatch, Subscriber,
    subscriber::{DefaultGuard, NoSubscriber},
};

use crate::{
    parts::{HOUR, World, builder, client, login, seconds, settle, user},
    server::Server,
};

/// Part of every token there is.
const PLANTED: &str = "PLANTED";

/// A life with all that can happen in it.
async fn life(world: &World) {
    let server = &world.server;
    let answer = |number: u32| {
        let body = format!(
            r#"{{"access_token":"{PLANTED}-access-{number}","token_type":"Bearer","expires_in":3600,"refresh_token":"{PLANTED}-refresh-{number}"}}"#
        );
        server.script(Ok((200, body)));
    };
    let token = login(server, "PLANTED-access-0", "PLANTED-refresh-0");
    world.tokens.register(&user(), token).await.unwrap();
    server.clock.advance(HOUR);
    answer(1);
    world.tokens.get(&user(), None).await.unwrap();

    server.clock.advance(HOUR);
    let cut = format!(r#"{{"access_token":"{PLANTED}-cut"#);
    server.script(Ok((200, cut)));
    world.tokens.get(&user(), None).await.unwrap_err();
    server.clock.advance(seconds(61));
    world.store.down();
    answer(2);
    world.tokens.get(&user(), None).await.unwrap();
    world.store.up();
    world.tokens.save_now().await;

    let access = AccessToken::new("PLANTED-access-2").unwrap();
    server.at("/revoke", 200, "");
    world.tokens.revoke(&user(), &access).await.unwrap();
    server.clock.advance(HOUR);
    let refused =
        format!(r#"{{"error":"invalid_grant","error_description":"{PLANTED}-refresh-2"}}"#);
    server.script(Ok((400, refused)));
    world.tokens.get(&user(), None).await.unwrap_err();
    server.clock.advance(HOUR);
    let token = login(server, "PLANTED-access-3", "");
    let other = oauth_core::store::Subject::user("other");
    world.tokens.register(&other, token).await.unwrap();
    settle().await;
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Granted { .. } => "granted",
        Event::Refreshed { .. } => "refreshed",
        Event::Rotated { .. } => "rotated",
        Event::RefreshFailed { .. } => "refresh failed",
        Event::ReauthorizationRequired { .. } => "reauthorization required",
        Event::SaveFailed { .. } => "save failed",
        Event::Revoked { .. } => "revoked",
        Event::Purged { .. } => "purged",
        _ => "new",
    }
}

fn drain(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next()).collect()
}

const LIFE: [&str; 11] = [
    "granted",
    "rotated",
    "refreshed",
    "refresh failed",
    "save failed",
    "rotated",
    "refreshed",
    "revoked",
    "reauthorization required",
    "refresh failed",
    "granted",
];

#[tokio::test]
async fn each_event_comes_once_and_in_order_and_names_no_token() {
    let world = World::new().await;
    let (mut one, mut two) = (world.tokens.events(), world.tokens.events());
    life(&world).await;
    for events in [&mut one, &mut two] {
        let seen = drain(events);
        let named: Vec<_> = seen
            .iter()
            .map(name)
            .filter(|name| *name != "purged")
            .collect();
        assert_eq!(named, LIFE);
        let printed = format!(
            "{seen:?} {seen:#?} {events:?} {:?} {:?}",
            world.tokens,
            world.tokens.source(&user(), None)
        );
        assert!(!printed.contains(PLANTED), "{printed}");
        for event in &seen {
            if let Event::RefreshFailed { error, .. } | Event::SaveFailed { error, .. } = event {
                let mut error: Option<&dyn std::error::Error> = Some(error);
                while let Some(inner) = error {
                    assert!(!format!("{inner} {inner:?}").contains(PLANTED), "{inner}");
                    error = inner.source();
                }
            }
        }
    }
}

/// It has no access token, and the refresh token in it is stored, not told.
#[tokio::test]
async fn a_refresh_token_of_an_answer_that_is_none_goes_to_the_store_alone() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.server.clock.advance(HOUR);
    let cut = format!(r#"{{"expires_in":3600,"refresh_token":"{PLANTED}"}}"#);
    world.server.script(Ok((200, cut)));
    let told = world.tokens.get(&user(), None).await.unwrap_err();
    let remembered = world.tokens.get(&user(), None).await.unwrap_err();
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.stored().await.unwrap(), PLANTED);
    let mut errors = vec![told, remembered];
    errors.extend(
        drain(&mut events)
            .into_iter()
            .filter_map(|event| match event {
                Event::RefreshFailed { error, .. } => Some(error),
                _ => None,
            }),
    );
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| error.refresh_token().is_none()));
}

#[tokio::test]
async fn a_stream_that_is_not_read_misses_and_holds_nobody_up() {
    let server = Server::new();
    let tokens = builder(&server).build();
    let mut events = tokens.events();
    for _ in 0..1500 {
        let token = login(&server, "access-0", "");
        tokens.register(&user(), token).await.unwrap();
    }
    assert_eq!(drain(&mut events).len() as u64 + events.missed(), 1500);
    assert_eq!(events.missed(), 1500 - 1024);
    let token = login(&server, "access-0", "");
    tokens.register(&user(), token).await.unwrap();
    assert_eq!(drain(&mut events).len(), 1, "it goes on");
}

#[tokio::test]
async fn two_managers_can_have_the_same_listeners() {
    let server = Server::new();
    let one = builder(&server).build();
    let two = builder(&server).listeners_of(&one).build();
    let mut streams = [one.events(), two.events()];
    for tokens in [&one, &two] {
        let token = login(&server, "access-0", "");
        tokens.register(&user(), token).await.unwrap();
    }
    for events in &mut streams {
        assert_eq!(drain(events).len(), 2);
    }
}

/// What was printed.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sends what this thread says to `subscriber`.
fn listen(subscriber: impl Subscriber + Send + Sync) -> (DefaultGuard, Dispatch) {
    // While there is just one, what another test's thread comes to first is asked of that thread's,
    // which is none, and is off for everybody from then on.
    let second = Dispatch::new(NoSubscriber::default());
    (tracing::subscriber::set_default(subscriber), second)
}

#[tokio::test]
async fn the_log_of_a_whole_life_names_no_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For this thread, which is the only one of the test's runtime.
    let _guard = listen(subscriber);
    life(&World::new().await).await;
    let printed = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for told in [
        "refresh token rotated",
        "refresh failed",
        "a token could not be stored",
    ] {
        assert!(printed.contains(told), "{printed}");
    }
    assert!(!printed.contains(PLANTED), "{printed}");
    let secret = client(
        &Server::new(),
        "id.example.com",
        oauth_core::RetryPolicy::none(),
    );
    assert!(!format!("{secret:?}").contains("\"secret\""));
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn spans_name_the_work_and_whose_server_and_no_token() {
    use tracing_subscriber::fmt::format::FmtSpan;

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::NEW)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = listen(subscriber);
    let world = World::new().await;
    life(&world).await;
    let printed = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let flight = r#"oauth.renewal{issuer="https://id.example.com"}"#;
    let exchange = format!(r#"{flight}:oauth.exchange{{grant_type="refresh_token"}}"#);
    for span in [
        format!(r#"{exchange}:oauth.request{{provider="generic" endpoint="token"}}"#),
        format!(r#"{flight}:oauth.store{{call="save"}}"#),
        format!(r#"{flight}:oauth.store{{call="lease"}}"#),
        r#" oauth.request{provider="generic" endpoint="revocation"}"#.to_owned(),
    ] {
        assert!(printed.contains(&span), "{span} is not in {printed}");
    }
    assert!(!printed.contains(PLANTED), "{printed}");
    assert!(!printed.contains("42"), "no user in a span: {printed}");
}

#[cfg(feature = "metrics")]
mod counted {
    use std::{
        collections::BTreeMap,
        sync::{
            Arc, Mutex,
            atomic::{AtomicU64, Ordering::SeqCst},
        },
    };

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    #[derive(Debug, Default)]
    struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Counters {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let mut counters = self.0.lock().unwrap();
            let counter = counters.entry(key.to_string()).or_default();
            Counter::from_arc(Arc::clone(counter))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn counters_say_the_same_as_events() {
        let counters = Counters::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let purged = metrics::with_local_recorder(&counters, || {
            runtime.block_on(async {
                let world = World::new().await;
                let mut events = world.tokens.events();
                life(&world).await;
                let purged = drain(&mut events)
                    .into_iter()
                    .filter_map(|event| match event {
                        Event::Purged { owners } => Some(owners as u64),
                        _ => None,
                    });
                purged.sum::<u64>()
            })
        });
        let counted = counters.0.lock().unwrap();
        let of = |name: &str| {
            let found = counted.iter().find(|(key, _)| key.contains(name));
            found.map_or(0, |(_, count)| count.load(SeqCst))
        };
        // The user's first login came before the stream.
        assert_eq!(of("tokens_granted_total"), 3);
        assert_eq!(of("tokens_refreshed_total"), 2);
        assert_eq!(of("refresh_tokens_rotated_total"), 2);
        assert_eq!(of("refresh_failures_total"), 2);
        assert_eq!(of("reauthorizations_required_total"), 1);
        assert_eq!(of("save_failures_total"), 1);
        assert_eq!(of("tokens_revoked_total"), 1);
        assert_eq!(of("owners_purged_total"), purged);
        let labels: Vec<_> = counted.keys().collect();
        assert!(!format!("{labels:?}").contains(PLANTED));
        assert!(!format!("{labels:?}").contains("42"), "no user in a label");
    }
}
