//! Whether the time that a wrong secret takes tells where it is wrong. As dudect does it (Reparaz and
//! others, 2017): calls with two kinds of input in random order, each timed by itself, and Welch's t of
//! the two: beyond 4.5 they differ by more than chance.

use std::{hint::black_box, time::Instant};

use axum::{Router, body::Body};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Request, StatusCode, header};
use oauth_server::{RfcApplication, SecretCost};
use tower_service::Service;

use crate::{
    contest::{Contestant, Effort, interleave_cold},
    servers::oauth_server,
    throughput::runtime,
};

pub fn run(effort: Effort) {
    let calls = effort.pick(100_000, 20_000);
    interleave_cold(
        &[("wrong secrets, Welch's t", "t")],
        effort.pick(5, 3),
        vec![byte_by_byte(calls), ours(calls)],
    );
}

/// What must not be done: it shows that a difference is found if there is one.
fn byte_by_byte(calls: usize) -> Contestant {
    let secret = "s".repeat(43);
    let wrong = wrong(&secret);
    Contestant::new("by hand: byte by byte", move || {
        let same = |wrong: &str| secret.bytes().zip(wrong.bytes()).all(|(a, b)| a == b);
        vec![t(calls, |class| {
            assert!(!black_box(same(black_box(&wrong[class]))));
        })]
    })
}

/// The token endpoint, with a generated secret, as the client's basic authentication. Who is refused
/// costs the work of a password hash on top, whatever the reason: at its least here, or it would hide a
/// difference.
fn ours(calls: usize) -> Contestant {
    let (server, secret) = oauth_server("http://127.0.0.1", |builder| {
        builder.secret_cost(SecretCost::LOW)
    });
    let mut router = server.into_router(RfcApplication);
    let wrong = wrong(&secret).map(|wrong| BASE64_STANDARD.encode(format!("service:{wrong}")));
    let runtime = runtime();
    Contestant::new("oauth-server token endpoint", move || {
        vec![t(calls, |class| {
            let request = Request::post("/token")
                .header(header::AUTHORIZATION, format!("Basic {}", wrong[class]))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from("grant_type=client_credentials"))
                .expect("a request");
            let answer = runtime.block_on(Service::call(&mut router as &mut Router, request));
            let status = answer.map(|answer| answer.status());
            assert_eq!(status, Ok(StatusCode::UNAUTHORIZED));
        })]
    })
}

/// The secret with another first character, and with another last one.
fn wrong(secret: &str) -> [String; 2] {
    let other = |character: &str| if character == "x" { "y" } else { "x" };
    let (first, after) = secret.split_at(1);
    let (before, last) = secret.split_at(secret.len() - 1);
    [
        format!("{}{after}", other(first)),
        format!("{before}{}", other(last)),
    ]
}

/// Welch's t of the times of the two classes, without its sign. The slowest tenth of all calls, which
/// something else held up, does not count.
fn t(calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut times: Vec<_> = (0..calls)
        .map(|_| {
            let class = random.usize(..2);
            let started = Instant::now();
            call(class);
            (started.elapsed().as_nanos() as f64, class)
        })
        .collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    times.truncate(calls / 10 * 9);
    let [one, other] = [0, 1].map(|class| {
        let of = || {
            times
                .iter()
                .filter(|time| time.1 == class)
                .map(|time| time.0)
        };
        let count = of().count() as f64;
        let mean = of().sum::<f64>() / count;
        let variance = of().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    ((one.0 - other.0) / (one.1 + other.1).sqrt()).abs()
}
