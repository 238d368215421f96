//! What is sent again, how often, and after how long.

use std::{sync::Arc, time::Duration};

use moov::{
    BackoffStrategy, CreateAccessToken, ErrorKind, RetryConfig, RevokeAccessToken, Scope,
    oauth_core::{self, random::Random},
};

use crate::support::{Reply, Server, TOKEN, refresh_token, reply};

/// Randomness whose every draw is nearly one, or nothing at all.
#[derive(Debug)]
struct Fixed(u8);

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), oauth_core::Error> {
        bytes.fill(self.0);
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Waits of 1, 2 and 4 s at most, then no more: the next would end after 10 s.
fn short() -> BackoffStrategy {
    let backoff = BackoffStrategy::default()
        .with_initial_interval(seconds(1))
        .with_exponent(2.0);
    backoff.with_max_elapsed_time(seconds(10)).with_jitter_ms(0)
}

async fn sleeps(
    config: RetryConfig,
    script: impl IntoIterator<Item = Reply>,
) -> (Vec<Duration>, usize, Option<ErrorKind>) {
    let server = Server::start(script).await;
    let (builder, clock) = server.timed();
    let client = builder
        .random(Arc::new(Fixed(0)))
        .retry(config)
        .build()
        .unwrap();
    let result = client.client_credentials(Scope::ping_read()).await;
    (
        clock.sleeps(),
        server.seen().len(),
        result.err().map(|error| error.kind()),
    )
}

#[tokio::test]
async fn one_request_unless_asked_for_more() {
    for config in [RetryConfig::default(), RetryConfig::none()] {
        assert_eq!(
            sleeps(config, [reply(503, "")]).await,
            (vec![], 1, Some(ErrorKind::ApiError))
        );
    }
}

#[tokio::test]
async fn waits_grow_until_the_time_is_up() {
    let (slept, requests, error) = sleeps(RetryConfig::backoff(short()), [reply(503, "")]).await;
    assert_eq!(slept, [seconds(1), seconds(2), seconds(4)]);
    assert_eq!((requests, error), (4, Some(ErrorKind::ApiError)));

    let (slept, requests, error) = sleeps(
        RetryConfig::backoff(short()),
        [reply(500, ""), reply(200, TOKEN)],
    )
    .await;
    assert_eq!((slept, requests, error), (vec![seconds(1)], 2, None));
}

#[tokio::test]
async fn the_defaults_are_the_official_ones() {
    let config = RetryConfig::backoff(BackoffStrategy::default());
    let (slept, ..) = sleeps(config.clone(), [reply(504, "")]).await;
    assert_eq!(slept[..3], [500, 750, 1125].map(Duration::from_millis));
    assert_eq!(slept.iter().max(), Some(&seconds(60)));
    let total: Duration = slept.iter().sum();
    assert!(total <= seconds(3600) && total > seconds(3540), "{total:?}");

    let server = Server::start([reply(504, ""), reply(200, TOKEN)]).await;
    let (builder, clock) = server.timed();
    let client = builder
        .random(Arc::new(Fixed(255)))
        .retry(config)
        .build()
        .unwrap();
    client.client_credentials(Scope::ping_read()).await.unwrap();
    let [slept] = clock.sleeps().try_into().unwrap();
    assert!(
        slept > Duration::from_millis(1499) && slept <= Duration::from_millis(1500),
        "a second of jitter: {slept:?}"
    );
}

#[tokio::test]
async fn only_some_statuses_are_tried_again() {
    let tries = |config: RetryConfig, status| async move {
        sleeps(config, [reply(status, ""), reply(200, TOKEN)])
            .await
            .1
    };
    let plain = || RetryConfig::backoff(short());
    for status in RetryConfig::STATUS_CODES {
        assert_eq!(tries(plain(), status).await, 2, "{status}");
    }
    for status in [400, 401, 403, 404, 408, 422, 501] {
        assert_eq!(tries(plain(), status).await, 1, "{status}");
    }
    let overridden = || plain().with_status_codes_override([408]);
    assert_eq!(
        (
            tries(overridden(), 408).await,
            tries(overridden(), 503).await
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn the_servers_wish_comes_first() {
    // The clock stands at 2025-01-15 18:05:51.
    for (name, value, wish) in [
        ("retry-after", "3", seconds(3)),
        ("retry-after", "1.5", Duration::from_millis(1500)),
        ("retry-after", "Wed, 15 Jan 2025 18:05:56 GMT", seconds(5)),
        ("retry-after-ms", "2500", Duration::from_millis(2500)),
        ("x-retry-in", "3500", Duration::from_millis(3500)),
        ("x-retry-in", "4.5s", Duration::from_millis(4500)),
    ] {
        let script = [reply(429, "").header(name, value), reply(200, TOKEN)];
        let (slept, requests, error) = sleeps(RetryConfig::backoff(short()), script).await;
        assert_eq!(
            (slept, requests, error),
            (vec![wish], 2, None),
            "{name}: {value}"
        );
    }
    let none = [reply(429, "").header("retry-after", "0"), reply(200, TOKEN)];
    assert_eq!(
        sleeps(RetryConfig::backoff(short()), none).await.0,
        [seconds(1)],
        "no wish, so the backoff's"
    );
}

#[tokio::test]
async fn a_wish_beyond_the_longest_wait_is_not_waited_for() {
    let server = Server::start([reply(429, "").header("retry-after", "99999999999")]).await;
    let (builder, clock) = server.timed();
    let client = builder
        .retry(RetryConfig::backoff(BackoffStrategy::default()))
        .build()
        .unwrap();
    let error = client
        .client_credentials(Scope::ping_read())
        .await
        .unwrap_err();
    assert_eq!((clock.sleeps(), server.seen().len()), (vec![], 1));
    assert_eq!(error.retry_after(), Some(seconds(86_400)), "at most a day");
}

#[tokio::test]
async fn a_refresh_is_never_repeated_after_an_answer() {
    for status in RetryConfig::STATUS_CODES {
        let server = Server::start([reply(status, ""), reply(200, TOKEN)]).await;
        let (builder, _clock) = server.timed();
        let client = builder
            .retry(RetryConfig::backoff(short()))
            .build()
            .unwrap();
        assert!(client.refresh(&refresh_token()).await.is_err());
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn connection_errors_only_when_asked_for() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (retry, slept) in [(false, 0), (true, 3)] {
        let clock = oauth_core::clock::ManualClock::at(crate::support::at(0));
        let client = moov::Client::builder("PUB", "SECRET-KEY")
            .origin("https://example.com")
            .base_url(format!("http://{free}"))
            .clock(Arc::new(clock.clone()))
            .retry(RetryConfig::backoff(short()).with_retry_connection_errors(retry))
            .build()
            .unwrap();
        assert!(client.refresh(&refresh_token()).await.is_err());
        assert_eq!(clock.sleeps().len(), slept, "{retry}");
    }
}

#[tokio::test]
async fn a_call_has_its_own_word() {
    let server = Server::start([
        reply(502, ""),
        reply(200, TOKEN),
        reply(502, ""),
        reply(204, ""),
        reply(502, ""),
    ])
    .await;
    let (builder, _clock) = server.timed();
    let client = builder.build().unwrap();
    let request = CreateAccessToken::client_credentials(Scope::ping_read());
    client
        .create_access_token(request.with_retries(RetryConfig::backoff(short())))
        .await
        .unwrap();
    let request = RevokeAccessToken::new("token").with_retries(RetryConfig::backoff(short()));
    client.revoke_access_token(request).await.unwrap();
    assert_eq!(server.seen().len(), 4);
    assert!(
        client
            .revoke_access_token(RevokeAccessToken::new("token"))
            .await
            .is_err()
    );
    assert_eq!(server.seen().len(), 5);
}
