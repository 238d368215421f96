//! What is left of a secret in the memory of the process when nobody needs it any more: nothing.
//!
//! A secret is drawn at run time, kept only in disguise, and looked for in every writable page of
//! the process, freed blocks among them. That needs Linux: the process reads itself.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use oauth_core::{
    AccessToken, Client, ClientAuthMethod, Endpoints, GenericProvider, Limits, RefreshToken,
    RetryPolicy, Token, TokenManager, TokenSet, Transport, TransportError, grant,
    random::{OsRandom, Random},
    secrecy::zeroize::Zeroizing,
    store::{MemoryStore, Subject},
};

/// What every byte of a disguised secret is changed with.
const DISGUISE: u8 = 0xa5;

/// One test at a time: the page that one reads can hold what another looks for.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

/// A secret that nobody but its copies has in clear.
#[derive(Debug, Clone)]
struct Canary {
    hidden: Vec<u8>,
    /// The middle of it, as it is and in base64 after 0, 1 and 2 other bytes.
    needles: Vec<Vec<u8>>,
}

impl Canary {
    fn new() -> Self {
        let mut bytes = Zeroizing::new([0_u8; 72]);
        OsRandom.fill(&mut *bytes).unwrap();
        // Long, so that what an allocator writes into a freed block leaves most of it.
        let text: Zeroizing<Vec<u8>> =
            Zeroizing::new(bytes.iter().map(|byte| b'a' + byte % 26).collect());
        let hide = |text: &[u8]| text.iter().map(|byte| byte ^ DISGUISE).collect();
        let mut needles = vec![hide(&text[24..48])];
        for before in 0..3 {
            let part = Zeroizing::new(BASE64_STANDARD.encode(&text[24 - before..48 - before]));
            needles.push(hide(part.as_bytes()));
        }
        Self {
            hidden: hide(&text),
            needles,
        }
    }

    /// A copy in clear, of exactly its size.
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.hidden.len());
        text.extend(self.hidden.iter().map(|byte| char::from(byte ^ DISGUISE)));
        text
    }

    /// How many places of the process's memory have the middle of it.
    fn copies(&self) -> usize {
        let longest = self.needles.iter().map(Vec::len).max().unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut page = Zeroizing::new(vec![0; 1 << 20]);
        let room = u64::try_from(page.len()).unwrap();
        let own = page.as_ptr().addr() as u64;
        let mut copies = 0;
        for line in maps.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (range, mode) = (fields.next().unwrap(), fields.next().unwrap());
            let file = fields.nth(3).unwrap_or_default();
            if !mode.starts_with("rw") || file.starts_with('/') || file == "[vvar]" {
                continue;
            }
            let (start, end) = range.split_once('-').unwrap();
            let mut at = u64::from_str_radix(start, 16).unwrap();
            let end = u64::from_str_radix(end, 16).unwrap();
            while at < end {
                // Not the page itself: to read it into itself spreads what it holds.
                if (own..own + room).contains(&at) {
                    at = own + room;
                    continue;
                }
                let stop = if at < own { end.min(own) } else { end };
                let length = usize::try_from((stop - at).min(room)).unwrap();
                // A page can go away while it is read.
                let Ok(read) = memory.read_at(&mut page[..length], at) else {
                    break;
                };
                if read == 0 {
                    break;
                }
                let needles = self.needles.iter();
                copies += needles
                    .map(|needle| count(&page[..read], needle))
                    .sum::<usize>();
                page[..read].fill(0);
                // What lies across the edge is seen by the next read.
                at += u64::try_from(read).unwrap();
                if at < end && read > longest {
                    at -= u64::try_from(longest).unwrap();
                }
            }
        }
        copies
    }
}

fn count(page: &[u8], needle: &[u8]) -> usize {
    let first = needle[0] ^ DISGUISE;
    let mut count = 0;
    let mut rest = page;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        let here = &rest[at..];
        let same = here.len() >= needle.len()
            && here
                .iter()
                .zip(needle)
                .all(|(byte, hidden)| byte ^ DISGUISE == *hidden);
        count += usize::from(same);
        rest = &rest[at + 1..];
    }
    count
}

#[test]
fn a_copy_is_found_alive_and_freed() {
    let _alone = alone();
    let canary = Canary::new();
    assert_eq!(canary.copies(), 0, "before there is one");
    let text = canary.text();
    assert_eq!(canary.copies(), 1);
    drop(text);
    assert_eq!(canary.copies(), 1, "a freed block is not searched");
}

#[test]
fn a_copy_in_base64_is_found_wherever_it_stands() {
    let _alone = alone();
    for before in ["", "i", "id", "id:"] {
        let canary = Canary::new();
        let text = Zeroizing::new(format!("{before}{}", *Zeroizing::new(canary.text())));
        let encoded = BASE64_STANDARD.encode(text.as_bytes());
        drop(text);
        assert_eq!(
            (canary.copies(), encoded.is_empty()),
            (1, false),
            "{before:?}"
        );
    }
}

#[test]
fn what_is_dropped_is_wiped() {
    let _alone = alone();
    let canary = Canary::new();
    let now = std::time::SystemTime::UNIX_EPOCH;
    let access = AccessToken::new(canary.text()).unwrap();
    let refresh = RefreshToken::new(canary.text()).unwrap();
    let set = TokenSet::new(access.clone(), now).with_refresh_token(Some(refresh.clone()));
    let kept = set.to_json();
    let again = TokenSet::from_json(&kept).unwrap();
    let code = grant::AuthorizationCode::new(canary.text()).with_code_verifier(canary.text());
    let device = grant::DeviceCode::new(canary.text());
    let password = grant::Password::new("user", canary.text());
    let header = access.authorization("Bearer").unwrap();
    assert!(canary.copies() > 5);
    drop((
        access, refresh, set, kept, again, code, device, password, header,
    ));
    assert_eq!(canary.copies(), 0);
}

#[test]
fn a_panic_wipes_too() {
    let _alone = alone();
    let canary = Canary::new();
    let hidden = canary.clone();
    let held = catch_unwind(AssertUnwindSafe(move || {
        let token = AccessToken::new(hidden.text()).unwrap();
        let set = TokenSet::new(token, std::time::SystemTime::UNIX_EPOCH);
        assert!(
            hidden.copies() > 0 && set.expires_at().is_some(),
            "on purpose"
        );
    }));
    assert!(held.is_err());
    assert_eq!(canary.copies(), 0);
}

/// Answers with tokens, and wipes what it was asked and what it said: what is left is the client's.
#[derive(Debug)]
struct Tidy {
    access: Canary,
    refresh: Canary,
}

impl Tidy {
    fn answer(&self) -> Zeroizing<Vec<u8>> {
        let access = Zeroizing::new(self.access.text());
        let refresh = Zeroizing::new(self.refresh.text());
        let mut body = Zeroizing::new(Vec::with_capacity(1024));
        for part in [
            r#"{"token_type":"Bearer","expires_in":3600,"access_token":""#,
            &access,
            r#"","refresh_token":""#,
            &refresh,
            r#""}"#,
        ] {
            body.extend_from_slice(part.as_bytes());
        }
        body
    }
}

#[async_trait]
impl Transport for Tidy {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        drop(request);
        let body = Bytes::from_owner(self.answer());
        let mut answer = http::Response::new(body);
        let json = http::HeaderValue::from_static("application/json");
        answer.headers_mut().insert("content-type", json);
        Ok(answer)
    }
}

struct Canaries {
    secret: Canary,
    access: Canary,
    refresh: Canary,
    code: Canary,
}

impl Canaries {
    fn new() -> Self {
        Self {
            secret: Canary::new(),
            access: Canary::new(),
            refresh: Canary::new(),
            code: Canary::new(),
        }
    }

    fn client(&self, method: ClientAuthMethod) -> Client {
        let endpoints = Endpoints::new("https://id.example.com/token").unwrap();
        Client::builder(GenericProvider::new(endpoints), "client")
            .client_secret(self.secret.text())
            .client_authentication(method)
            .transport(Tidy {
                access: self.access.clone(),
                refresh: self.refresh.clone(),
            })
            .retry(RetryPolicy::none())
            .build()
            .unwrap()
    }

    fn none_is_left(&self) {
        for (what, canary) in [
            ("client secret", &self.secret),
            ("access token", &self.access),
            ("refresh token", &self.refresh),
            ("code", &self.code),
        ] {
            assert_eq!(canary.copies(), 0, "copies of the {what}");
        }
    }
}

#[test]
fn a_flow_leaves_no_copy() {
    let _alone = alone();
    run(flows_end());
}

async fn flows_end() {
    for method in [ClientAuthMethod::Basic, ClientAuthMethod::Post] {
        let canaries = Canaries::new();
        let client = canaries.client(method);
        let code = grant::AuthorizationCode::new(canaries.code.text());
        let token = client.exchange(&code).await.unwrap();
        let next = grant::RefreshToken::of(&token).unwrap();
        let renewed = client.exchange(&next).await.unwrap();
        assert!(canaries.access.copies() > 0 && canaries.secret.copies() > 0);
        drop((client, code, token, next, renewed));
        canaries.none_is_left();
    }
}

#[test]
fn a_logout_leaves_no_copy() {
    let _alone = alone();
    run(logouts_end());
}

async fn logouts_end() {
    let canaries = Canaries::new();
    let store = MemoryStore::new();
    let client = canaries.client(ClientAuthMethod::Basic);
    let manager = TokenManager::builder(client).store(store.clone()).build();
    let user = Subject::user("user");
    let now = std::time::SystemTime::now();
    let refresh = RefreshToken::new(canaries.code.text()).unwrap();
    let first = TokenSet::new(AccessToken::new(canaries.code.text()).unwrap(), now)
        .with_expires_at(Some(now))
        .with_refresh_token(Some(refresh));
    manager.register(&user, first).await.unwrap();
    let token = manager.get(&user, None).await.unwrap();
    let header = manager.source(&user, None).header().await.unwrap();
    assert!(canaries.access.copies() > 0 && canaries.refresh.copies() > 0);
    drop((token, header));
    manager.clear(&user).await.unwrap();
    // The manager and its store go on; what they had of this user does not.
    for (what, canary) in [
        ("access token", &canaries.access),
        ("refresh token", &canaries.refresh),
        ("first tokens", &canaries.code),
    ] {
        assert_eq!(canary.copies(), 0, "copies of the {what}");
    }
    drop((manager, store));
    canaries.none_is_left();
}
