//! The demo: clients and a user whose secrets everybody knows.

use std::sync::Arc;

use oauth_server::{
    AuthorizationServer, BuildError, Client, ClientBuilder, GrantType, OsRandom, SecretCost,
    SigningAlgorithm, SigningKey, SigningKeys,
    memory::{MemoryClients, MemoryResourceOwners},
};
use serde_json::{Map, Value};

use super::builder;

const SCOPES: [&str; 5] = ["read", "write", "admin", "openid", "offline_access"];
const GRANTS: [GrantType; 5] = [
    GrantType::ClientCredentials,
    GrantType::Password,
    GrantType::RefreshToken,
    GrantType::AuthorizationCode,
    GrantType::DeviceCode,
];
/// The user; no client has such a name (RFC 9700 §4.15).
const SUBJECT: &str = "demo-user";

pub(super) fn server(issuer: &str) -> Result<AuthorizationServer, BuildError> {
    let people = MemoryResourceOwners::new(SecretCost::LOW)?;
    people.insert("demo", SUBJECT, "demo")?;
    let claims = [("preferred_username", "demo"), ("name", "Demo User")];
    let claims = claims.map(|(name, value)| (name.to_owned(), Value::from(value)));
    people.set_claims(SUBJECT, Map::from_iter(claims));
    let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom)?;
    builder(issuer)
        .grant_types(GRANTS)
        .clients(Arc::new(MemoryClients::from_iter(clients()?)))
        .resource_owners(Arc::new(people))
        .signing_keys(SigningKeys::new([key])?)
        .secret_cost(SecretCost::LOW)
        .build()
}

fn clients() -> Result<[Client; 3], BuildError> {
    let svc = of("svc").weak_secret("svc-secret").grants(GRANTS).build()?;
    let public = of("pub")
        .public()
        .grants([
            GrantType::AuthorizationCode,
            GrantType::DeviceCode,
            GrantType::RefreshToken,
        ])
        .build()?;
    let rs = of("rs")
        .weak_secret("rs-secret")
        .grants([GrantType::ClientCredentials])
        .introspect_any(true)
        .build()?;
    Ok([svc, public, rs])
}

fn of(id: &str) -> ClientBuilder {
    Client::builder(id)
        .secret_cost(SecretCost::LOW)
        .scopes(SCOPES)
        .default_scopes(["read"])
        .native()
        .redirect_uri("http://127.0.0.1/callback")
        .redirect_uri("http://[::1]/callback")
        .redirect_uri("http://localhost/callback")
}
