//! `oauth-server` as an application would embed it: every endpoint routed, failures counted by peer
//! address, a generated secret, everything stored as hashes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use oauth_server::{
    AuthorizationServer, AuthorizationServerBuilder, Client, Clock, GeneratedSecret, GrantType,
    Scope, memory::MemoryClients,
};

use super::SCOPE;

/// The server, and the secret of its client `service`.
pub fn oauth_server(
    issuer: &str,
    set: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> (AuthorizationServer, String) {
    let secret = GeneratedSecret::generate().expect("the system has randomness");
    let client = Client::builder("service")
        .generated_secret(&secret)
        .grants([GrantType::ClientCredentials])
        .scopes([SCOPE])
        .default_scopes([SCOPE])
        .build()
        .expect("a client");
    let builder =
        AuthorizationServer::builder(issuer).clients(Arc::new(MemoryClients::from_iter([client])));
    let server = set(builder).build().expect("a server");
    (server, secret.expose().to_owned())
}

/// One with 1,000,000 ended tokens, whose new ones end after a second; what has ended is purged by
/// a task, too, as an application would have one.
pub async fn purging(issuer: &str) -> (AuthorizationServer, String) {
    let clock = Arc::new(YesterdayUntil(AtomicBool::new(false)));
    let (server, secret) = oauth_server(issuer, |builder| {
        builder
            .clock(clock.clone())
            .access_token_lifetime(Duration::from_secs(1))
    });
    let scope = Scope::parse(SCOPE).expect("a scope");
    for _ in 0..1_000_000 {
        let grant = GrantType::ClientCredentials;
        let issued = server.issue("service", grant, None, &scope).await;
        issued.expect("a token");
    }
    clock.0.store(true, Relaxed);
    let purged = server.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            purged.purge(1_000).await.expect("memory doesn't fail");
        }
    });
    (server, secret)
}

#[derive(Debug)]
struct YesterdayUntil(AtomicBool);

impl Clock for YesterdayUntil {
    fn now(&self) -> SystemTime {
        let now = SystemTime::now();
        match self.0.load(Relaxed) {
            true => now,
            false => now - Duration::from_secs(86_400),
        }
    }
}
