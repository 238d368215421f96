//! Servers under wrk's load: one thread, 32 connections kept alive. Each round has a server process
//! of its own, which begins with an empty store.
//!
//! wrk takes longer for a request than the fastest servers do: compare their CPU time.

mod process;

use self::process::{Endpoint, Round, Server};
use crate::contest::{Contestant, Effort, interleave_cold};

const BARE: &str = "plain axum handler, constant body";
const BY_HAND: &str = "by hand: axum, random token in a map";
const OURS: &str = "oauth-server, all hashed";
const OXIDE: &str = "oxide-auth-axum, nothing hashed";
const NODE: &str = "node-oidc-provider";

/// Tokens by client credentials.
pub fn token_endpoint(effort: Effort) {
    let contestant = |who, start: fn() -> Server| {
        Contestant::new(who, move || {
            let body = "grant_type=client_credentials";
            figures(&start().load(Endpoint::Token, body, seconds(effort)))
        })
    };
    let contestants = vec![
        contestant(BARE, || Server::ours("plain")),
        contestant(BY_HAND, || Server::ours("by-hand")),
        contestant(OURS, || Server::ours("oauth-server")),
        contestant(OXIDE, || Server::ours("oxide-auth")),
        contestant(NODE, Server::node),
    ];
    let what = [
        ("token endpoint, server CPU per request", "µs"),
        ("token endpoint, requests", "k/s"),
        ("token endpoint, p99", "ms"),
    ];
    interleave_cold(&what, rounds(effort), contestants);
}

/// The same token again and again; oxide-auth has no such endpoint.
pub fn introspection(effort: Effort) {
    let contestant = |who, start: fn() -> Server| {
        Contestant::new(who, move || {
            let server = start();
            let body = format!("token={}", server.token());
            figures(&server.load(Endpoint::Introspection, &body, seconds(effort)))
        })
    };
    let contestants = vec![
        contestant(BARE, || Server::ours("plain")),
        contestant(BY_HAND, || Server::ours("by-hand")),
        contestant(OURS, || Server::ours("oauth-server")),
        contestant(NODE, Server::node),
    ];
    let what = [
        ("introspection, server CPU per request", "µs"),
        ("introspection, requests", "k/s"),
        ("introspection, p99", "ms"),
    ];
    interleave_cold(&what, rounds(effort), contestants);
}

/// 1,000,000 ended tokens at the start, and every new one ends after a second.
pub fn purge(effort: Effort) {
    let contestant = |who, kind: &'static str| {
        Contestant::new(who, move || {
            let body = "grant_type=client_credentials";
            let round = Server::ours(kind).load(Endpoint::Token, body, seconds(effort));
            vec![round.p99_milliseconds]
        })
    };
    let contestants = vec![
        contestant("oauth-server, nothing ends", "oauth-server"),
        contestant("oauth-server, tokens are purged", "purging"),
    ];
    let what = [("token endpoint while tokens are purged, p99", "ms")];
    interleave_cold(&what, rounds(effort), contestants);
}

fn figures(round: &Round) -> Vec<f64> {
    vec![
        round.cpu_microseconds,
        round.thousands_a_second,
        round.p99_milliseconds,
    ]
}

fn seconds(effort: Effort) -> u32 {
    effort.pick(5, 2)
}

fn rounds(effort: Effort) -> usize {
    effort.pick(7, 1)
}
