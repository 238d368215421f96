//! Several of them at once, and such as are interrupted.

use std::{
    process::{Child, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

use oauth_core::{
    AccessToken, Client, Endpoints, GenericProvider, RefreshToken, Scopes, TokenManager, TokenSet,
    random::OsRandom,
    secrecy::ExposeSecret,
    store::{Record, Subject, TokenRequest},
};
use oauth_store::{Key, Keys, Protection};
use serde_json::{Value, json};

use crate::{
    endpoint::{self, Endpoint},
    program::{Outcome, World, signalled},
};

#[test]
fn three_for_an_ended_token_make_one_request() {
    for repetition in 0..10 {
        let endpoint = Endpoint::start(|_| {
            // So slow that the others are there, too.
            std::thread::sleep(Duration::from_millis(300));
            let token = json!({"access_token": "new", "token_type": "bearer", "expires_in": 3600, "refresh_token": "second"});
            endpoint::json(200, &token.to_string())
        });
        let ended = Ended::at(&endpoint);
        let all = [ended.start(""), ended.start(""), ended.start("")];
        let mut from = Vec::new();
        for child in all {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let token: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(token["access_token"], "new");
            from.push(token["from"].as_str().unwrap().to_owned());
        }
        let request = endpoint.only_request();
        assert_eq!(request.member("refresh_token").as_deref(), Some("first"));
        from.sort();
        assert_eq!(from, ["refresh", "store", "store"], "{repetition}");
    }
}

/// A refresh token works once here, so one that was spent but not stored is missed in the end.
#[test]
fn an_interruption_at_any_time_loses_nothing() {
    let newest = AtomicU32::new(0);
    let endpoint = Endpoint::start(move |request| {
        let mine = newest.load(Ordering::SeqCst);
        let wanted = match mine {
            0 => "first".to_owned(),
            number => format!("refresh-{number}"),
        };
        if request.member("refresh_token") != Some(wanted) {
            return endpoint::json(400, r#"{"error":"invalid_grant"}"#);
        }
        std::thread::sleep(Duration::from_millis(20));
        let next = mine + 1;
        newest.store(next, Ordering::SeqCst);
        let token = json!({"access_token": format!("access-{next}"), "token_type": "bearer", "expires_in": 3600, "refresh_token": format!("refresh-{next}")});
        endpoint::json(200, &token.to_string())
    });
    let ended = Ended::at(&endpoint);
    let begun = Instant::now();
    assert!(ended.start("").wait().unwrap().success());
    let whole = begun.elapsed();
    let (mut interrupted, mut done) = (0, 0);
    for round in 0..40 {
        let mut child = ended.start("--fresh");
        std::thread::sleep(whole * round / 32);
        signalled(&child, if round % 2 == 0 { "-INT" } else { "-TERM" });
        match child.wait().unwrap().code() {
            Some(0) => done += 1,
            // Without a code it was so early that nothing was set up for the signal.
            Some(130) | None => interrupted += 1,
            code => panic!("round {round}: {code:?}"),
        }
        let stored = Outcome::of(&mut ended.command("")).succeeded().json();
        assert_eq!(stored["from"], "store", "round {round}");
    }
    assert!(interrupted > 0 && done > 0, "{interrupted} {done}");
    let last = Outcome::of(&mut ended.command("--fresh")).succeeded();
    assert_eq!(last.json()["from"], "refresh");
}

#[test]
fn a_secret_that_does_not_come_keeps_nobody() {
    let world = World::new();
    let pipe = world.home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let token = |file: &std::path::Path, more: &str| {
        let file = file.display();
        format!(
            "token --token-url http://127.0.0.1:1 --client-id a --client-secret-file {file} --output json {more}"
        )
    };
    let mut command = world.command(&token(&pipe, "--timeout 200ms"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = ended(child.spawn().unwrap()).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(12), "{output:?}");

    let mut command = world.command(&token(&pipe, ""));
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    // Opens once the program reads.
    let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    signalled(&child, "-INT");
    assert_eq!(ended(child).wait().unwrap().code(), Some(130));
    drop(writer);

    let long = world.file("long", &"x".repeat(1024 * 1024 + 1));
    let long = world.run(&token(&long, "")).failed(2);
    assert!(long.err.contains("1 MiB"), "{}", long.err);
}

/// Kills what does not end by itself.
pub(crate) fn ended(mut child: Child) -> Child {
    let limit = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > limit {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// A store with one token, which has ended and can be refreshed.
struct Ended {
    world: World,
    arguments: String,
}

impl Ended {
    fn at(endpoint: &Endpoint) -> Self {
        let world = World::new();
        let key = Key::generate("test", &OsRandom).unwrap();
        let url = format!("{}/token", endpoint.url());
        let store = format!("sqlite:{}", world.home.path().join("tokens/t.db").display());
        let key_file = world.secret_file("key", key.to_line().expose_secret());
        keep_ended(&store, Keys::new(key), &url);
        let arguments = format!(
            "token --token-url {url} --client-id a --output json --store {store} --store-key-file {}",
            key_file.display()
        );
        Self { world, arguments }
    }

    fn command(&self, more: &str) -> std::process::Command {
        let mut command = self.world.command(&format!("{} {more}", self.arguments));
        command.env("OAUTH_CLIENT_SECRET", "secret");
        command
    }

    fn start(&self, more: &str) -> Child {
        let mut command = self.command(more);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

fn keep_ended(store: &str, keys: Keys, url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = oauth_store::open(store, Protection::Keys(keys))
            .await
            .unwrap();
        let provider = GenericProvider::new(Endpoints::new(url).unwrap());
        let client = Client::builder(provider, "a")
            .client_secret("secret")
            .build()
            .unwrap();
        let owner = TokenManager::new(client).owner(&Subject::Client);
        let ended = SystemTime::now() - Duration::from_secs(60);
        let token = TokenSet::new(
            AccessToken::new("old").unwrap(),
            ended - Duration::from_secs(3600),
        )
        .with_expires_at(Some(ended))
        .with_refresh_token(Some(RefreshToken::new("first").unwrap()));
        let record = Record::new().with(TokenRequest::scopes(Scopes::empty()), token);
        store.save(&owner, &record, None, None).await.unwrap();
    });
}
