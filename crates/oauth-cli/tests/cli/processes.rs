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
