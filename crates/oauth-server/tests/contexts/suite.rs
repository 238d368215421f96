//! What every implementation must do.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use oauth_server::{
    AccessTokens, AuthorizationCodes, AuthorizationServer, Client, Clients, DeviceCodes,
    DeviceStatus, ErrorCode, GrantType, JwtIds, ManualClock, OAuthError, PushedRequests,
    ResourceOwners, Rotation, ScopeRecord, Scopes, SecretCost, TokenHash, TokenResponse,
};

use crate::records::{access, code, device, end, grant_id, pushed, refresh};

pub(crate) struct Contexts {
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) tokens: Arc<dyn AccessTokens>,
    pub(crate) codes: Arc<dyn AuthorizationCodes>,
    pub(crate) devices: Arc<dyn DeviceCodes>,
    pub(crate) pushed: Arc<dyn PushedRequests>,
    pub(crate) jwt_ids: Arc<dyn JwtIds>,
    pub(crate) owners: Arc<dyn ResourceOwners>,
    pub(crate) scopes: Arc<dyn Scopes>,
    #[cfg(feature = "pages")]
    pub(crate) sessions: Arc<dyn oauth_server::pages::Sessions>,
}

/// How many race for one code.
const CROWD: usize = 100;

const GRANTS: [GrantType; 3] = [
    GrantType::AuthorizationCode,
    GrantType::DeviceCode,
    GrantType::RefreshToken,
];

pub(crate) fn clients() -> Vec<Client> {
    let app = Client::builder("app")
        .name("An app")
        .public()
        .grants(GRANTS)
        .scopes(["read"])
        .redirect_uri("https://app.example/cb")
        .access_token_lifetime_for(GrantType::DeviceCode, Duration::from_secs(77));
    let secret = Client::builder("secret")
        .secret("a long and secret phrase")
        .secret_cost(SecretCost::LOW)
        .grants([GrantType::ClientCredentials])
        .any_scope();
    let built = [app, secret].map(|client| client.build().unwrap());
    built.into_iter().chain(signing()).collect()
}

/// Each hash has a salt of its own.
fn but_secrets(client: &Client) -> serde_json::Value {
    let mut kept = serde_json::json!(client);
    kept["secrets"].take();
    kept
}

#[cfg(feature = "jwt")]
fn signing() -> Option<Client> {
    let jwks = oauth_server::Jwks::from_json(&serde_json::json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "kid": "1",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }] }));
    let client = Client::builder("signing")
        .jwks(jwks.unwrap())
        .assertion_secret("a secret that an HMAC needs as it is")
        .grants([GrantType::ClientCredentials])
        .resources(["https://api.example"])
        .any_scope();
    Some(client.build().unwrap())
}

#[cfg(not(feature = "jwt"))]
fn signing() -> Option<Client> {
    None
}

pub(crate) fn scopes() -> Vec<ScopeRecord> {
    let read = ScopeRecord::new("read", "read what's yours").unwrap();
    vec![read.default_scope(true)]
}

pub(crate) fn claims() -> serde_json::Map<String, serde_json::Value> {
    let claims = serde_json::json!({ "name": "Ada", "email_verified": true });
    claims.as_object().unwrap().clone()
}

pub(crate) async fn run(contexts: &Contexts, trials: usize) {
    clients_scopes_and_people(contexts).await;
    tokens_live_and_die_with_their_grant(contexts).await;
    a_refresh_token_rotates_once(contexts).await;
    families_die_by_client_and_by_person(contexts).await;
    nothing_slips_through_a_revocation(contexts, trials).await;
    what_was_consented_to_ends_with_its_person(contexts).await;
    codes_come_and_go(contexts).await;
    devices_change_one_at_a_time(contexts).await;
    pushed_requests_are_used_once(contexts).await;
    a_client_pushes_only_so_much(contexts).await;
    a_jti_is_used_once(contexts, trials).await;
    #[cfg(feature = "pages")]
    sessions_come_and_go(contexts).await;
    what_has_ended_is_purged_in_batches(contexts).await;
    each_is_redeemed_once(&[server(contexts)], trials).await;
}

async fn clients_scopes_and_people(contexts: &Contexts) {
    assert!(contexts.clients.get("nobody").await.unwrap().is_none());
    for known in clients() {
        let stored = contexts.clients.get(known.id()).await.unwrap().unwrap();
        assert_eq!(but_secrets(&stored), but_secrets(&known));
        assert_eq!(stored.name(), known.name());
        assert_eq!(stored.is_public(), known.is_public());
        assert_eq!(stored.redirect_uris(), known.redirect_uris());
        assert_eq!(
            stored.allows_grant(GrantType::DeviceCode),
            known.is_public()
        );
    }
    assert_eq!(contexts.scopes.all().await.unwrap(), scopes());
    let owners = &contexts.owners;
    for (name, password, subject) in [
        ("ada", "her pass phrase", Some("person-1")),
        ("ada", "his pass phrase", None),
        ("bob", "his pass phrase", None),
        ("' OR 1=1 --", "her pass phrase", None),
    ] {
        let found = owners.authenticate(name, &password.into()).await.unwrap();
        assert_eq!(found.as_deref(), subject, "{name}");
    }
    let scope = oauth_server::Scope::default();
    assert_eq!(owners.claims("person-1", &scope).await.unwrap(), claims());
    for forgotten in ["person-2", "person-3"] {
        let told = owners.claims(forgotten, &scope).await.unwrap();
        assert!(told.is_empty(), "{forgotten}");
    }
    for (subject, active) in [("person-1", true), ("person-2", false), ("person-3", true)] {
        assert_eq!(
            owners.is_active(subject).await.unwrap(),
            active,
            "{subject}"
        );
    }
}

async fn tokens_live_and_die_with_their_grant(contexts: &Contexts) {
    let tokens = &contexts.tokens;
    let (a, r) = (access("a", "g", "app", "p"), refresh("r", "g", "app", "p"));
    tokens.insert(&a, Some(&r)).await.unwrap();
    let stored = tokens.get(&a.hash).await.unwrap().unwrap();
    assert_eq!(serde_json::json!(stored), serde_json::json!(a));
    let stored = tokens.get_refresh(&r.hash).await.unwrap().unwrap();
    assert_eq!(serde_json::json!(stored), serde_json::json!(r));
    // Neither passes for the other.
    assert!(tokens.get(&r.hash).await.unwrap().is_none());
    assert!(tokens.get_refresh(&a.hash).await.unwrap().is_none());

    tokens.revoke(&a.hash).await.unwrap();
    assert!(tokens.get(&a.hash).await.unwrap().is_none());
    assert!(tokens.get_refresh(&r.hash).await.unwrap().is_some());

    tokens.revoke_grant(&a.grant.id, end()).await.unwrap();
    assert!(tokens.get_refresh(&r.hash).await.unwrap().is_none());
    let late = refresh("late", "g", "app", "p");
    tokens.insert(&a, Some(&late)).await.unwrap();
    assert!(tokens.get(&a.hash).await.unwrap().is_none(), "born dead");
    assert!(tokens.get_refresh(&late.hash).await.unwrap().is_none());
}

async fn a_refresh_token_rotates_once(contexts: &Contexts) {
    let tokens = &contexts.tokens;
    let of = |name: &str| refresh(name, "rotating", "app", "p");
    let first = of("first");
    let a = |name: &str| access(name, "rotating", "app", "p");
    tokens.insert(&a("a0"), Some(&first)).await.unwrap();
    let mut kept = first.clone();
    kept.expires_at -= Duration::from_secs(1);
    let rotated = tokens.rotate(&kept, &a("a1"), None).await.unwrap();
    assert_eq!(rotated, Rotation::Done);
    let stored = tokens.get_refresh(&first.hash).await.unwrap().unwrap();
    assert_eq!(
        (stored.consumed, stored.expires_at),
        (false, kept.expires_at)
    );

    let mut used = first.clone();
    used.consumed = true;
    let second = of("second");
    let rotate = async |used, access: &str, successor| {
        let rotated = tokens.rotate(used, &a(access), Some(successor)).await;
        rotated.unwrap()
    };
    assert_eq!(rotate(&used, "a2", &second).await, Rotation::Done);
    let (third, fourth) = (of("third"), of("fourth"));
    let again = rotate(&used, "a3", &third).await;
    assert_eq!(again, Rotation::Consumed);
    assert!(tokens.get(&a("a3").hash).await.unwrap().is_none());
    assert!(
        tokens
            .get_refresh(&of("third").hash)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        tokens
            .get_refresh(&first.hash)
            .await
            .unwrap()
            .unwrap()
            .consumed
    );

    tokens.revoke_grant(&second.grant.id, end()).await.unwrap();
    let gone = rotate(&second, "a4", &fourth).await;
    assert_eq!(gone, Rotation::Gone);
    assert!(tokens.get(&a("a4").hash).await.unwrap().is_none());
}

async fn families_die_by_client_and_by_person(contexts: &Contexts) {
    let tokens = &contexts.tokens;
    let insert = async |client: &'static str, person: &'static str| {
        let (id, name) = (format!("{client}/{person}"), format!("{client}-{person}"));
        let a = access(&name, &id, client, person);
        let r = refresh(&format!("refresh {name}"), &id, client, person);
        tokens.insert(&a, Some(&r)).await.unwrap();
    };
    let live = async |client: &str, person: &str| {
        let hash = TokenHash::of(&format!("{client}-{person}"));
        let refresh = TokenHash::of(&format!("refresh {client}-{person}"));
        let refresh = tokens.get_refresh(&refresh).await.unwrap().is_some();
        (tokens.get(&hash).await.unwrap().is_some(), refresh)
    };
    for client in ["one", "two"] {
        for person in ["ann", "ben"] {
            insert(client, person).await;
        }
    }
    let revoked = tokens.revoke_grants(Some("one"), Some("ann"), end()).await;
    assert_eq!(revoked.unwrap(), 2);
    insert("one", "ann").await;
    assert_eq!(live("one", "ann").await, (false, false), "stays dead");
    assert_eq!(live("one", "ben").await, (true, true));
    let revoked = tokens.revoke_grants(None, Some("ben"), end()).await;
    assert_eq!(revoked.unwrap(), 4);
    assert_eq!(live("two", "ben").await, (false, false));
    assert_eq!(tokens.revoke_access_tokens(Some("two")).await.unwrap(), 1);
    assert_eq!(live("two", "ann").await, (false, true));
}

/// Issued and revoked at the same moment, a token is dead afterwards, whoever came first.
async fn nothing_slips_through_a_revocation(contexts: &Contexts, trials: usize) {
    let mut all = Vec::new();
    for trial in 0..trials * 3 {
        let (name, person) = (format!("racing {trial}"), format!("racer {trial}"));
        let first = access(&format!("{name} first"), &name, "app", &person);
        contexts.tokens.insert(&first, None).await.unwrap();
        let start = Arc::new(tokio::sync::Barrier::new(5));
        let mut racing = tokio::task::JoinSet::new();
        let mut hashes = vec![first.hash];
        for index in 0..4 {
            let a = access(&format!("{name} {index}"), &name, "app", &person);
            let r = refresh(&format!("{name} r {index}"), &name, "app", &person);
            hashes.extend([a.hash, r.hash]);
            let (tokens, start) = (contexts.tokens.clone(), start.clone());
            racing.spawn(async move {
                start.wait().await;
                tokens.insert(&a, Some(&r)).await.unwrap();
            });
        }
        let (tokens, start) = (contexts.tokens.clone(), start.clone());
        racing.spawn(async move {
            start.wait().await;
            match trial % 2 {
                0 => tokens.revoke_grant(&first.grant.id, end()).await.unwrap(),
                _ => drop(
                    tokens
                        .revoke_grants(None, Some(&person), end())
                        .await
                        .unwrap(),
                ),
            }
        });
        racing.join_all().await;
        all.extend(hashes);
    }
    for hash in all {
        assert!(contexts.tokens.get(&hash).await.unwrap().is_none());
        assert!(contexts.tokens.get_refresh(&hash).await.unwrap().is_none());
    }
}

async fn codes_come_and_go(contexts: &Contexts) {
    let codes = &contexts.codes;
    let known = code("code");
    codes.insert(known.clone(), end()).await.unwrap();
    let stored = codes.get(&known.hash).await.unwrap().unwrap();
    assert_eq!(serde_json::json!(stored), serde_json::json!(known));
    assert!(!codes.consume(&TokenHash::of("unknown")).await.unwrap());
    assert!(codes.consume(&known.hash).await.unwrap());
    assert!(codes.get(&known.hash).await.unwrap().unwrap().consumed);
    codes.release(&known.hash).await.unwrap();
    assert!(!codes.get(&known.hash).await.unwrap().unwrap().consumed);
    assert!(codes.consume(&known.hash).await.unwrap());
    assert!(!codes.consume(&known.hash).await.unwrap(), "it came back");
    codes.release(&known.hash).await.unwrap();
    let dead = codes.get(&known.hash).await.unwrap().unwrap();
    assert!(dead.consumed || dead.expires_at < known.expires_at);
}

async fn devices_change_one_at_a_time(contexts: &Contexts) {
    let devices = &contexts.devices;
    let known = device("device", "BCDF");
    assert!(devices.insert(known.clone(), end()).await.unwrap());
    assert!(!devices.insert(device("twin", "BCDF"), end()).await.unwrap());
    let found = devices.find(&known.user_code_hash).await.unwrap().unwrap();
    assert_eq!(serde_json::json!(found), serde_json::json!(known));
    let (twin, mut never) = (TokenHash::of("twin"), |_: &mut _| panic!("there is none"));
    assert!(!devices.update(&twin, &mut never).await.unwrap());
    let changes = (0..CROWD).map(|_| {
        let (devices, hash) = (Arc::clone(devices), known.hash);
        tokio::spawn(async move {
            let mut change = |record: &mut oauth_server::DeviceCodeRecord| {
                record.interval += Duration::from_secs(1);
                record.status = DeviceStatus::Denied;
            };
            devices.update(&hash, &mut change).await.unwrap()
        })
    });
    for change in changes.collect::<Vec<_>>() {
        assert!(change.await.unwrap());
    }
    let found = devices.find(&known.user_code_hash).await.unwrap().unwrap();
    assert_eq!(found.interval.as_secs(), CROWD as u64, "none got lost");
    assert_eq!(found.status, DeviceStatus::Denied);
}

async fn pushed_requests_are_used_once(contexts: &Contexts) {
    let requests = &contexts.pushed;
    let known = pushed("pushed");
    let before = end() - Duration::from_secs(1);
    requests.insert(known.clone(), before).await.unwrap();
    let stored = requests.get(&known.hash).await.unwrap().unwrap();
    assert_eq!(serde_json::json!(stored), serde_json::json!(known));
    let uses = (0..CROWD).map(|_| {
        let (requests, hash) = (Arc::clone(requests), known.hash);
        tokio::spawn(async move { requests.consume(&hash).await.unwrap() })
    });
    let mut used = 0;
    for each in uses.collect::<Vec<_>>() {
        used += usize::from(each.await.unwrap());
    }
    assert_eq!(used, 1);
    assert!(requests.get(&known.hash).await.unwrap().unwrap().consumed);
    assert_eq!(requests.purge(before, 9).await.unwrap(), 0);
    assert_eq!(requests.purge(end(), 9).await.unwrap(), 1);
    assert!(requests.get(&known.hash).await.unwrap().is_none());
}

async fn a_client_pushes_only_so_much(contexts: &Contexts) {
    let requests = &contexts.pushed;
    let large = |name: String| {
        let mut record = pushed(&name);
        record.parameters = vec![("state".to_owned(), "x".repeat(1024 * 1024))];
        record
    };
    let before = end() - Duration::from_secs(1);
    let mut taken = 0;
    for index in 0..20 {
        let one = requests.insert(large(format!("large {index}")), before);
        taken += usize::from(one.await.is_ok());
    }
    assert_eq!(taken, 15, "16 MiB of one client");
    let mut others = large("of another".to_owned());
    others.client_id = "other".to_owned();
    requests.insert(others, before).await.unwrap();
    while requests.purge(end(), 1_000).await.unwrap() > 0 {}
    requests
        .insert(large("later".to_owned()), before)
        .await
        .unwrap();
    assert_eq!(requests.purge(end(), 9).await.unwrap(), 1);
}

/// A code that was not redeemed dies with the grants, and one that is being redeemed is named.
async fn what_was_consented_to_ends_with_its_person(contexts: &Contexts) {
    let (codes, devices) = (&contexts.codes, &contexts.devices);
    let begun = |name: &str, person: &str| {
        let (mut code, mut device) = (code(name), device(name, name));
        code.grant.subject = Some(person.to_owned());
        device.grant.subject = None;
        (code, device)
    };
    for (name, person) in [
        ("unused", "leaving"),
        ("in use", "leaving"),
        ("kept", "staying"),
    ] {
        let (mut code, mut device) = begun(name, person);
        code.grant.id = grant_id(name);
        device.status = DeviceStatus::Approved;
        codes.insert(code, end()).await.unwrap();
        let hash = device.hash;
        assert!(devices.insert(device, end()).await.unwrap());
        let mut approve = |record: &mut oauth_server::DeviceCodeRecord| {
            record.grant.subject = Some(person.to_owned());
        };
        assert!(devices.update(&hash, &mut approve).await.unwrap());
    }
    let used = TokenHash::of("in use");
    assert!(codes.consume(&used).await.unwrap());
    let mut use_it = |record: &mut oauth_server::DeviceCodeRecord| {
        record.status = DeviceStatus::Used;
    };
    assert!(devices.update(&used, &mut use_it).await.unwrap());

    assert!(codes.revoke(Some("other"), None).await.unwrap().is_empty());
    let ended = codes.revoke(Some("app"), Some("leaving")).await.unwrap();
    let ended = BTreeSet::from_iter(ended);
    assert_eq!(ended, ["in use", "unused"].map(grant_id).into());
    let ended = devices.revoke(None, Some("leaving")).await.unwrap();
    assert_eq!(ended.len(), 2);
    codes.release(&used).await.unwrap();
    for (name, good, status) in [
        ("unused", false, DeviceStatus::Denied),
        ("in use", false, DeviceStatus::Used),
        ("kept", true, DeviceStatus::Approved),
    ] {
        let hash = TokenHash::of(name);
        let stored = codes.get(&hash).await.unwrap().unwrap();
        assert_eq!(stored.expires_at == end(), good, "{name}");
        let device = devices.find(&hash).await.unwrap().unwrap();
        assert_eq!(device.status, status, "{name}");
    }
    let later = end() + Duration::from_secs(600);
    while codes.purge(later, 100).await.unwrap() > 0 {}
    while devices.purge(later, 100).await.unwrap() > 0 {}
}

/// A hundred at once with the same `jti`, again and again.
async fn a_jti_is_used_once(contexts: &Contexts, trials: usize) {
    let ids = &contexts.jwt_ids;
    let before = end() - Duration::from_secs(1);
    for trial in 0..trials {
        race_for_a_jti(&[ids], &format!("jti {trial}")).await;
    }
    assert_eq!(ids.purge(before, 9).await.unwrap(), 0);
    let id = TokenHash::of("jti 0");
    assert!(!ids.consume("app", &id, end(), before).await.unwrap());
    while ids.purge(end(), 1_000).await.unwrap() > 0 {}
    let later = end() + Duration::from_secs(60);
    assert!(ids.consume("app", &id, later, end()).await.unwrap());
    assert!(!ids.consume("app", &id, later, end()).await.unwrap());
    assert!(ids.consume("app", &id, later, later).await.unwrap());
}

pub(crate) async fn race_for_a_jti(nodes: &[&Arc<dyn JwtIds>], jti: &str) {
    let id = TokenHash::of(jti);
    let start = Arc::new(tokio::sync::Barrier::new(CROWD));
    let before = end() - Duration::from_secs(1);
    let uses = (0..CROWD).map(|index| {
        let (ids, start) = (Arc::clone(nodes[index % nodes.len()]), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            ids.consume("app", &id, end(), before).await.unwrap()
        })
    });
    let mut used = 0;
    for each in uses.collect::<Vec<_>>() {
        used += usize::from(each.await.unwrap());
    }
    assert_eq!(used, 1, "{jti}");
}

#[cfg(feature = "pages")]
async fn sessions_come_and_go(contexts: &Contexts) {
    use oauth_server::pages::SessionRecord;
    let sessions = &contexts.sessions;
    let before = end() - Duration::from_secs(1);
    let record: SessionRecord = serde_json::from_value(serde_json::json!({
        "hash": TokenHash::of("session"), "subject": "person-1",
        "username": "ada", "authenticated_at": before, "expires_at": end(), "consents": [],
    }))
    .unwrap();
    let mut never = |_: &mut _| panic!("there is none");
    assert!(!sessions.update(&record.hash, &mut never).await.unwrap());
    sessions.insert(record.clone(), before).await.unwrap();
    let changes = (0..CROWD).map(|_| {
        let (sessions, hash) = (Arc::clone(sessions), record.hash);
        tokio::spawn(async move {
            let mut change = |record: &mut SessionRecord| record.username.push('x');
            sessions.update(&hash, &mut change).await.unwrap()
        })
    });
    for change in changes.collect::<Vec<_>>() {
        assert!(change.await.unwrap());
    }
    let mut changed = record.clone();
    changed.username += &"x".repeat(CROWD);
    let stored = sessions.get(&record.hash).await.unwrap().unwrap();
    assert_eq!(
        serde_json::json!(stored),
        serde_json::json!(changed),
        "none got lost"
    );
    sessions.remove(&record.hash).await.unwrap();
    assert!(sessions.get(&record.hash).await.unwrap().is_none());
    sessions.insert(record.clone(), before).await.unwrap();
    assert_eq!(sessions.purge(before, 9).await.unwrap(), 0);
    assert_eq!(sessions.purge(end(), 9).await.unwrap(), 1);
    assert!(!sessions.update(&record.hash, &mut never).await.unwrap());
}

async fn what_has_ended_is_purged_in_batches(contexts: &Contexts) {
    let tokens = &contexts.tokens;
    while tokens.purge(end(), 1_000).await.unwrap() > 0 {}
    let insert = async |index: usize| {
        let name = format!("purged {index}");
        let a = access(&name, &name, "app", "p");
        let mut r = refresh(&format!("r {name}"), &name, "app", "p");
        // Idle for too long, but its family may still be replayed.
        r.expires_at -= Duration::from_secs(5);
        tokens.insert(&a, Some(&r)).await.unwrap();
    };
    for index in 0..10 {
        insert(index).await;
    }
    let early = end() - Duration::from_secs(1);
    assert_eq!(tokens.purge(early, 100).await.unwrap(), 0);
    assert_eq!(tokens.purge(end(), 4).await.unwrap(), 8);
    assert_eq!(tokens.purge(end(), 100).await.unwrap(), 12);
    let later = end() + Duration::from_secs(599);
    assert_eq!(contexts.codes.purge(later, 9).await.unwrap(), 0);
    let later = end() + Duration::from_secs(600);
    assert_eq!(contexts.codes.purge(later, 9).await.unwrap(), 1);
    assert_eq!(contexts.devices.purge(later, 9).await.unwrap(), 1);
}

pub(crate) fn server(contexts: &Contexts) -> AuthorizationServer {
    AuthorizationServer::builder("https://auth.example")
        .clients(contexts.clients.clone())
        .access_tokens(contexts.tokens.clone())
        .authorization_codes(contexts.codes.clone())
        .device_codes(contexts.devices.clone())
        .pushed_requests(contexts.pushed.clone())
        .resource_owners(contexts.owners.clone())
        .scopes(contexts.scopes.clone())
        .clock(Arc::new(ManualClock::new(end())))
        .secret_cost(SecretCost::LOW)
        .build()
        .unwrap()
}

/// A hundred at once, through the token endpoints of all these servers, for one code, device code
/// and refresh token.
pub(crate) async fn each_is_redeemed_once(servers: &[AuthorizationServer], trials: usize) {
    let server = &servers[0];
    for trial in 0..trials {
        let code = authorized(server).await;
        let code = format!(
            "grant_type=authorization_code&code={code}\
             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        race(servers, &code, trial).await;

        let started = server.device_authorization(&form("")).await.unwrap();
        let user_code = started.user_code();
        assert!(server.approve_device(user_code, "person-1").await.unwrap());
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let device_code = format!("grant_type={grant}&device_code={}", started.device_code());
        race(servers, &device_code, trial).await;

        let scope = oauth_server::Scope::parse("read").unwrap();
        let issued = server.issue(
            "app",
            GrantType::AuthorizationCode,
            Some("person-1"),
            &scope,
        );
        let issued = issued.await.unwrap();
        let token = issued.refresh_token().unwrap();
        let refresh = format!("grant_type=refresh_token&refresh_token={token}");
        race(servers, &refresh, trial).await;
    }
}

async fn authorized(server: &AuthorizationServer) -> String {
    let request = Request::get(
        "/authorize?response_type=code&client_id=app&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    );
    let request = request.body(Bytes::new()).unwrap();
    let request = server.preauthorize(&request).await.unwrap();
    let answer = server.authorize(&request, "person-1").await.unwrap();
    answer.code().to_owned()
}

async fn race(servers: &[AuthorizationServer], fields: &str, trial: usize) {
    let start = Arc::new(tokio::sync::Barrier::new(CROWD));
    let requests = (0..CROWD).map(|index| {
        let server = &servers[index % servers.len()];
        let (server, request, start) = (server.clone(), form(fields), start.clone());
        tokio::spawn(async move {
            start.wait().await;
            server.token(&request).await
        })
    });
    let mut won: Vec<TokenResponse> = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        match request.await.unwrap() {
            Ok(tokens) => won.push(tokens),
            Err(error) => assert_lost(&error),
        }
    }
    assert_eq!(won.len(), 1, "trial {trial}: {fields}");
    for server in servers {
        let live = server.access_token(won[0].access_token()).await.unwrap();
        assert!(live.is_none(), "ninety-nine came back with it");
        let refresh = won[0].refresh_token().unwrap();
        assert!(server.refresh_token(refresh).await.unwrap().is_none());
    }
}

#[track_caller]
fn assert_lost(error: &OAuthError) {
    let expected = [ErrorCode::InvalidGrant, ErrorCode::ExpiredToken];
    assert!(expected.contains(&error.code()), "{error}");
}

fn form(fields: &str) -> Request<Bytes> {
    Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("client_id=app&{fields}").into())
        .unwrap()
}
