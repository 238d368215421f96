//! Several of them at once.

use std::{
    net::TcpListener,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use oauth_core::{
    AccessToken, Client, Endpoints, GenericProvider, RefreshToken, Scopes, TokenManager, TokenSet,
    random::OsRandom,
    store::{Record, Subject, TokenRequest},
};
use oauth_store::{Key, Keys, Protection};

use crate::{answers::read_request, program::World};

#[test]
fn two_for_an_ended_token_make_one_request() {
    let world = World::new();
    let key = Key::generate("test", &OsRandom).unwrap();
    let path = world.home.path().join("tokens/tokens.db");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    serve(listener, Arc::clone(&requests));
    keep_ended(
        &format!("sqlite:{}", path.display()),
        Keys::new(key.clone()),
        &url,
    );

    let key_file = world.file(
        "key",
        oauth_core::secrecy::ExposeSecret::expose_secret(&key.to_line()),
    );
    #[cfg(unix)]
    std::fs::set_permissions(
        &key_file,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let arguments = format!(
        "token --token-url {url} --client-id a --output json --store sqlite:{} --store-key-file {}",
        path.display(),
        key_file.display()
    );
    let start = || {
        let mut command = world.command(&arguments);
        command
            .env("OAUTH_CLIENT_SECRET", "secret")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start(), start()];
    let mut from = Vec::new();
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let token: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(token["access_token"], "new");
        from.push(token["from"].as_str().unwrap().to_owned());
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1, "{from:?}");
    from.sort();
    assert_eq!(from, ["refresh", "store", "store"]);
}

fn serve(listener: TcpListener, requests: Arc<AtomicUsize>) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if read_request(&mut stream).is_none() {
                continue;
            }
            requests.fetch_add(1, Ordering::SeqCst);
            // So slow that the others are there, too.
            std::thread::sleep(Duration::from_millis(300));
            let body = r#"{"access_token":"new","token_type":"bearer","expires_in":3600,"refresh_token":"second"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
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
