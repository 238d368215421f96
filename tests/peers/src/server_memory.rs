//! Resident bytes for each of 1,000,000 live access tokens of a server, each way in a process of its
//! own.

use oauth_server::{GrantType, Scope};
use oxide_auth::primitives::{
    generator::RandomGenerator,
    grant::{Extensions, Grant},
    issuer::{Issuer, TokenMap},
};

use crate::{
    contest::Effort,
    memory::{Way, each, resident},
    servers::{REDIRECT_URI, SCOPE, oauth_server},
    throughput,
};

const WAYS: &[Way] = &[
    ("oauth-server MemoryAccessTokens", ours),
    ("oxide-auth TokenMap", of_oxide_auth),
];

pub fn run(effort: Effort) {
    each(effort, "memory of a server, 1,000,000 live tokens", WAYS);
}

/// The child's side.
pub fn of(name: &str) -> Option<f64> {
    let (_, measure) = WAYS.iter().find(|(way, _)| *way == name)?;
    Some(measure(1_000_000))
}

fn ours(tokens: usize) -> f64 {
    let runtime = throughput::runtime();
    let scope = Scope::parse(SCOPE).expect("a scope");
    let (server, _) = oauth_server("http://127.0.0.1", |builder| builder);
    resident(tokens, server, |server, _| {
        let grant = GrantType::ClientCredentials;
        let issued = runtime.block_on(server.issue("service", grant, None, &scope));
        issued.expect("a token");
    })
}

fn of_oxide_auth(tokens: usize) -> f64 {
    resident(tokens, TokenMap::new(RandomGenerator::new(32)), |map, _| {
        let grant = Grant {
            owner_id: "service".to_owned(),
            client_id: "service".to_owned(),
            scope: SCOPE.parse().expect("a scope"),
            redirect_uri: REDIRECT_URI.parse().expect("a URL"),
            until: "2100-01-01T00:00:00Z".parse().expect("a time"),
            extensions: Extensions::new(),
        };
        map.issue(grant).expect("a token");
    })
}
