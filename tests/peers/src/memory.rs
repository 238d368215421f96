//! Resident bytes for each of 1,000,000 tokens: 30 characters of access token, 60 of refresh
//! token, 5 scopes that all of them share. Each way in a process of its own.

use std::{
    collections::{HashMap, HashSet},
    hint::black_box,
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use oauth_core::{Scopes, TokenSet, manager::TokenManager, store::Subject};
use oauth2::{
    AccessToken, EmptyExtraTokenFields, RefreshToken, Scope, StandardTokenResponse, TokenResponse,
    basic::BasicTokenType,
};

use crate::{
    contest::{Effort, report},
    endpoint::Endpoint,
    keyed::{access_token, user_id},
    libraries::client,
    throughput,
};

/// Measures one way, called by its name, and prints resident bytes for each token.
pub const CHILD: &str = "--memory-of";

const SCOPES: [&str; 5] = [
    "user:read:email",
    "chat:read",
    "chat:edit",
    "channel:read:subscriptions",
    "moderator:read:followers",
];

/// A way to keep tokens: its name, and what measures the bytes of one.
pub(crate) type Way = (&'static str, fn(usize) -> f64);

const WAYS: &[Way] = &[
    ("HashMap of plain structs", |tokens| {
        resident(tokens, HashMap::new(), |map, number| {
            map.insert(user_id(number), Plain::new(number));
        })
    }),
    ("HashMap of oauth2's token response", |tokens| {
        resident(tokens, HashMap::new(), |map, number| {
            map.insert(user_id(number), of_oauth2(number));
        })
    }),
    ("oauth-core TokenManager", ours),
    ("HashMap of boxed strings, shared scopes", |tokens| {
        let scopes: Arc<[String]> = SCOPES.map(str::to_owned).into();
        resident(tokens, HashMap::new(), |map, number| {
            map.insert(user_id(number), Boxed::new(number, &scopes));
        })
    }),
];

pub fn run(effort: Effort) {
    each(effort, "memory, 1,000,000 tokens", WAYS);
}

/// Measures each way in a process of its own.
pub(crate) fn each(effort: Effort, what: &'static str, ways: &[Way]) {
    let itself = std::env::current_exe().expect("the program knows where it is");
    for (name, _) in ways {
        let mut values: Vec<_> = (0..effort.pick(3, 1))
            .map(|_| {
                let child = Command::new(&itself).args([CHILD, name]).output();
                let output = child.expect("the program can run itself").stdout;
                let text = String::from_utf8(output).expect("a number");
                text.trim().parse().expect("a number")
            })
            .collect();
        report((what, "bytes"), name, &mut values);
    }
}

/// The child's side.
pub fn of(name: &str) -> Option<f64> {
    let (_, measure) = WAYS.iter().find(|(way, _)| *way == name)?;
    Some(measure(1_000_000))
}

/// The bytes that one of so many tokens takes in `map`.
pub(crate) fn resident<M>(tokens: usize, mut map: M, mut put: impl FnMut(&mut M, usize)) -> f64 {
    let before = resident_now();
    for number in 0..tokens {
        put(&mut map, number);
    }
    let after = resident_now();
    black_box(&map);
    // The process ends here; taking a million tokens apart is not what is measured.
    std::mem::forget(map);
    (after - before) / tokens as f64
}

fn resident_now() -> f64 {
    memory_stats::memory_stats()
        .expect("the system tells a process its resident size")
        .physical_mem as f64
}

/// With all that a manager needs beside them to find, renew and replace them.
fn ours(tokens: usize) -> f64 {
    let runtime = throughput::runtime();
    let scopes: Scopes = SCOPES.join(" ").parse().expect("scopes");
    let manager = TokenManager::new(client(&Endpoint::start()));
    resident(tokens, manager, |manager, number| {
        let now = SystemTime::now();
        let access_token = oauth_core::AccessToken::new(access_token(number)).expect("ASCII");
        let refresh_token = oauth_core::RefreshToken::new(refresh_token(number)).expect("ASCII");
        let token = TokenSet::new(access_token, now)
            .with_expires_at(Some(now + Duration::from_secs(3_600)))
            .with_refresh_token(Some(refresh_token))
            .with_scopes(scopes.clone());
        let subject = Subject::user(user_id(number));
        let kept = runtime.block_on(manager.register(&subject, token));
        kept.expect("it is kept");
    })
}

/// As most would write it.
struct Plain {
    _access_token: String,
    _refresh_token: Option<String>,
    _token_type: String,
    _expires_at: Option<SystemTime>,
    _scopes: HashSet<String>,
}

impl Plain {
    fn new(number: usize) -> Self {
        Self {
            _access_token: access_token(number),
            _refresh_token: Some(refresh_token(number)),
            _token_type: "bearer".to_owned(),
            _expires_at: Some(SystemTime::now() + Duration::from_secs(3_600)),
            _scopes: SCOPES.map(str::to_owned).into(),
        }
    }
}

fn of_oauth2(
    number: usize,
) -> (
    StandardTokenResponse<EmptyExtraTokenFields, BasicTokenType>,
    SystemTime,
) {
    let mut response = StandardTokenResponse::new(
        AccessToken::new(access_token(number)),
        BasicTokenType::Bearer,
        EmptyExtraTokenFields {},
    );
    response.set_refresh_token(Some(RefreshToken::new(refresh_token(number))));
    response.set_scopes(Some(
        SCOPES.map(|scope| Scope::new(scope.to_owned())).into(),
    ));
    response.set_expires_in(Some(&Duration::from_secs(3_600)));
    let lifetime = response.expires_in().expect("it was set");
    (response, SystemTime::now() + lifetime)
}

/// As one would write it who has measured the first.
struct Boxed {
    _access_token: Box<str>,
    _refresh_token: Option<Box<str>>,
    _expires_at: Option<SystemTime>,
    _scopes: Arc<[String]>,
}

impl Boxed {
    fn new(number: usize, scopes: &Arc<[String]>) -> Self {
        Self {
            _access_token: access_token(number).into(),
            _refresh_token: Some(refresh_token(number).into()),
            _expires_at: Some(SystemTime::now() + Duration::from_secs(3_600)),
            _scopes: Arc::clone(scopes),
        }
    }
}

fn refresh_token(number: usize) -> String {
    format!("{number:060}")
}
