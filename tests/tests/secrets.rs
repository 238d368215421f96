//! Planted secrets, and a server that repeats everything it is sent in every place an answer has:
//! after every flow of every provider, none of them is in anything that was printed, at any level
//! of tracing and of the drivers' logs. Nor after records in clear went through every store.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    error::Error as StdError,
    fmt::{Debug, Write as _},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{body::to_bytes, extract::Request, response::Response};
use oauth_core::{
    AccessToken, Client, Endpoints, GenericProvider, RefreshToken, RetryPolicy, TokenSet, grant,
    secrecy::SecretString,
    store::{Owner, Record, Subject, TokenRequest},
};
use oauth_store::Protection;
use serde_json::json;
use test_servers::{PostgresServer, RedisServer};
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

const CLIENT_SECRET: &str = "PLANTED-client&secret-1";
const PASSWORD: &str = "PLANTED-pass word-2";
const CODE: &str = "PLANTED-code/3";
const REFRESH_TOKEN: &str = "PLANTED-refresh+token-4";
const ACCESS_TOKEN: &str = "PLANTED-access=token-5";
const DEVICE_CODE: &str = "PLANTED-device%code-6";
const USER_CODE: &str = "PLANTED-USER-7";
const ISSUED: &str = "PLANTED-issued-token-8";
const SECRETS: [&str; 8] = [
    CLIENT_SECRET,
    PASSWORD,
    CODE,
    REFRESH_TOKEN,
    ACCESS_TOKEN,
    DEVICE_CODE,
    USER_CODE,
    ISSUED,
];

/// How many ways the mirror has to answer.
const WAYS: usize = 15;

/// Everything that was printed, by the program's own hand or through tracing.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn show(&self, value: &dyn Debug) {
        self.write_text(&format!("{value:?} {value:#?}\n"));
    }

    fn result<T: Debug, E: StdError>(&self, result: Result<T, E>) {
        match result {
            Ok(value) => self.show(&value),
            Err(error) => {
                let mut text = format!("{error} {error:?} {error:#?}\n");
                let mut source = error.source();
                while let Some(cause) = source {
                    let _ = writeln!(text, "{cause} {cause:?}");
                    source = cause.source();
                }
                self.write_text(&text);
            }
        }
    }

    fn write_text(&self, text: &str) {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Printed {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Answers everything with what it was sent, in the way whose turn it is.
async fn mirror(way: Arc<AtomicUsize>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move |request: Request| {
        let way = way.load(Ordering::SeqCst);
        async move { answer(way, request).await }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    base_url
}

async fn answer(way: usize, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = head
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&to_bytes(body, 1 << 20).await.unwrap()).into_owned();
    // What was sent, as it came and as it was meant.
    let words = words(header, &body);
    let sent = format!("{header} {body} {words}");
    let mut token = json!({
        "access_token": ISSUED, "token_type": "Bearer", "refresh_token": REFRESH_TOKEN, "expires_in": 60,
        "id_token": ISSUED, "note": sent, "device_code": DEVICE_CODE, "user_code": USER_CODE,
        "verification_uri": "https://example.com/", "sub": words, "active": true, "client_id": "id",
        "user_id": "1", "login": "demo", "scopes": [],
    });
    let (status, content_type, text) = match way {
        0 => (200, "application/json", token.to_string()),
        1 => (
            400,
            "application/json",
            json!({"error": "invalid_grant", "error_description": sent}).to_string(),
        ),
        2 => (
            400,
            "application/json",
            json!({"error": sent, "error_uri": words, "message": sent}).to_string(),
        ),
        3 => (
            400,
            "application/json",
            json!({"status": 400, "message": sent}).to_string(),
        ),
        4 => (
            422,
            "application/json",
            json!({"refresh_token": sent, "scope": words, "Message": sent}).to_string(),
        ),
        5 => (500, "text/html", format!("<html>{sent} {ISSUED}")),
        6 => (200, "text/html", format!("<html>{sent} {ISSUED}")),
        7 => (
            200,
            "application/json",
            format!("{{\"access_token\": \"{ISSUED}\", \"token_type\": [\"{ISSUED}\"]}}"),
        ),
        8 => (
            200,
            "application/json",
            format!("{{\"access_token\": {{\"{ISSUED}\": 1}}}}"),
        ),
        9 => (302, "text/plain", format!("{sent} {ISSUED}")),
        10 => (401, "text/plain", format!("{sent} {ISSUED}")),
        11 => (
            403,
            "application/json",
            json!({"Message": sent, "message": sent, "error": words}).to_string(),
        ),
        12 => (
            200,
            "application/json",
            json!([{"Client_ID": "id", "Client_Secret": CLIENT_SECRET}]).to_string(),
        ),
        13 => {
            token["error"] = "invalid_grant".into();
            token["error_description"] = sent.into();
            (200, "application/json", token.to_string())
        }
        _ => (503, "application/json", format!("{{\"error\": \"{ISSUED}")),
    };
    let one_line = words.replace(['"', '\\'], "");
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header(
            "location",
            format!("https://example.com/{ISSUED}?x={ISSUED}"),
        )
        .header(
            "www-authenticate",
            format!("Bearer error=\"invalid_token\", error_description=\"{one_line}\""),
        )
        .header("x-request-id", &one_line)
        .body(text.into())
        .unwrap()
}

/// The values of a request's parameters and the credentials of its header, in clear.
fn words(header: &str, body: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let mut words: Vec<String> = match serde_json::from_str::<serde_json::Value>(body) {
        Ok(members) => members
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, value)| value.to_string())
            .collect(),
        Err(_) => form_urlencoded::parse(body.as_bytes())
            .map(|(_, value)| value.into_owned())
            .collect(),
    };
    let credentials = header
        .split_once(' ')
        .map_or("", |(_, credentials)| credentials);
    words.push(credentials.to_owned());
    if let Ok(pair) = BASE64_STANDARD.decode(credentials) {
        words.push(String::from_utf8_lossy(&pair).into_owned());
    }
    words.join(" ")
}

async fn generic(base: &str, printed: &Printed) {
    let endpoints = Endpoints::new(&format!("{base}/token"))
        .and_then(|it| it.with_authorization(&format!("{base}/authorize")))
        .and_then(|it| it.with_revocation(&format!("{base}/revoke")))
        .and_then(|it| it.with_introspection(&format!("{base}/introspect")))
        .and_then(|it| it.with_device_authorization(&format!("{base}/device")))
        .and_then(|it| it.with_userinfo(&format!("{base}/userinfo")))
        .unwrap();
    let builder =
        Client::builder(GenericProvider::new(endpoints), "id").client_secret(CLIENT_SECRET);
    printed.show(&builder);
    let client = builder.retry(RetryPolicy::none()).build().unwrap();
    printed.show(&client);
    let access = AccessToken::new(ACCESS_TOKEN).unwrap();
    let refresh = RefreshToken::new(REFRESH_TOKEN).unwrap();
    let grants: [Box<dyn grant::Grant>; 6] = [
        Box::new(grant::ClientCredentials::new()),
        Box::new(grant::Password::new("user", PASSWORD)),
        Box::new(grant::AuthorizationCode::new(CODE).with_code_verifier(CODE)),
        Box::new(grant::RefreshToken::new(refresh.clone())),
        Box::new(grant::DeviceCode::new(DEVICE_CODE)),
        Box::new(grant::Extension::new("urn:x").with_secret_param("assertion", CODE)),
    ];
    for grant in &grants {
        printed.show(grant);
        printed.result(client.exchange(&**grant).await);
    }
    printed.result(client.revoke(&access).await);
    printed.result(client.revoke_refresh_token(&refresh).await);
    printed.result(
        client
            .introspect(&SecretString::from(ACCESS_TOKEN), None)
            .await,
    );
    printed.result(client.userinfo(&access).await);
    printed.result(client.device_authorization(None).await);
    let (_, mut pending) = client
        .authorization_request("http://127.0.0.1/callback")
        .build()
        .unwrap();
    printed.show(&pending);
    for callback in [
        format!("code={CODE}"),
        format!("error={CODE}&state={CODE}"),
        format!("code={CODE}&code={CODE}"),
    ] {
        printed.result(pending.accept(&callback));
    }
}

async fn twitch(base: &str, printed: &Printed) {
    let builder = twitch::Client::builder_for(twitch::Twitch::at(base).unwrap(), "id")
        .client_secret(CLIENT_SECRET);
    printed.show(&builder);
    let client = builder.retry(RetryPolicy::none()).build().unwrap();
    printed.show(&client);
    let access = AccessToken::new(ACCESS_TOKEN).unwrap();
    let refresh = RefreshToken::new(REFRESH_TOKEN).unwrap();
    printed.result(
        client
            .token_get_from_code(CODE, "http://127.0.0.1/callback")
            .await,
    );
    printed.result(client.token_refresh_with(&refresh).await);
    printed.result(client.token_validate(&access).await);
    printed.result(client.token_revoke(&access).await);
    printed.result(client.app_token().await);
    printed.result(client.userinfo(&access).await);
    printed.result(client.device_code(&"chat:read".parse().unwrap()).await);
    if let Ok(tokens) = client.token_refresh_with(&refresh).await {
        let user = twitch::UserToken::from_token_set(&client, &tokens).await;
        if let Ok(user) = &user {
            printed.result(client.token_refresh(user).await);
            let users = client.helix_url("users").unwrap();
            let request = http::Request::get(users.as_str())
                .body(Default::default())
                .unwrap();
            // An API's answer is the caller's; its status is enough here.
            printed.result(
                client
                    .helix(request.clone(), user)
                    .await
                    .map(|answer| answer.status()),
            );
            let mut held = user.clone();
            let stored = async |new: twitch::UserToken| {
                printed.show(&new);
                Ok::<_, oauth_core::Error>(())
            };
            let answer = client.token_refresh_step(request, &mut held, stored).await;
            printed.result(answer.map(|answer| answer.status()));
        }
        printed.result(user);
    }
}

async fn moov(base: &str, printed: &Printed) {
    let builder = moov::Client::builder("id", CLIENT_SECRET)
        .origin("https://example.com")
        .base_url(base);
    printed.show(&builder);
    let client = builder.build().unwrap();
    printed.show(&client);
    let refresh = RefreshToken::new(REFRESH_TOKEN).unwrap();
    let access = AccessToken::new(ACCESS_TOKEN).unwrap();
    printed.result(client.client_credentials(moov::Scope::ping_read()).await);
    printed.result(client.refresh(&refresh).await);
    printed.result(
        client
            .revoke_access_token(moov::RevokeAccessToken::access_token(&access))
            .await,
    );
}

async fn ministry_platform(base: &str, printed: &Printed) {
    let builder = ministry_platform::Authentication::builder(base)
        .username("user")
        .password(PASSWORD)
        .client_id("id")
        .client_secret(CLIENT_SECRET)
        .retry(RetryPolicy::none());
    printed.show(&builder);
    let church = builder.build().unwrap();
    printed.show(&church);
    let access = AccessToken::new(ACCESS_TOKEN).unwrap();
    printed.result(church.authenticate().await);
    printed.result(church.authenticate_client("id").await);
    printed.result(church.valid_token(&access).await);
    printed.result(church.userinfo(&access).await);
    printed.result(church.revoke(&access).await);
    let contacts = ministry_platform::TableName::new("Contacts").unwrap();
    let query = ministry_platform::tables::Query::new();
    printed.result(
        church
            .api()
            .get_records(&contacts, &query)
            .await
            .map(|rows| rows.len()),
    );
    printed.show(&church);
}

/// Records in clear, in and out of every store.
async fn stores(printed: &Printed) {
    let folder = tempfile::tempdir().unwrap();
    let (postgres, redis) = (PostgresServer::start(), RedisServer::start());
    let (postgres, redis) = (postgres.unwrap(), redis.unwrap());
    let file = format!("sqlite:{}/tokens.db", folder.path().display());
    let token = TokenSet::new(
        AccessToken::new(ACCESS_TOKEN).unwrap(),
        std::time::SystemTime::UNIX_EPOCH,
    );
    let token = token.with_refresh_token(Some(RefreshToken::new(REFRESH_TOKEN).unwrap()));
    let record = Record::new().with(TokenRequest::any(), token);
    for url in [file, postgres.url(), redis.url()] {
        let store = oauth_store::open(&url, Protection::Plaintext)
            .await
            .unwrap();
        let owner = Owner::new("https://id.example.com", "id", Subject::user("42"));
        let lease = store.lease("name", std::time::Duration::from_secs(60));
        let lease = lease.await.unwrap();
        let saved = store.save(&owner, &record, None, lease.as_ref()).await;
        let version = saved.unwrap();
        printed.result(store.load(&owner).await);
        printed.result(store.save(&owner, &record, None, None).await);
        printed.result(store.save(&owner, &record, Some(version), None).await);
        printed.show(&store);
    }
}

/// The forms in which a secret could hide: as it is, percent-encoded, base64, hex, a list of bytes.
fn disguises(secret: &str) -> Vec<String> {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let percent: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
    // Whatever stands before it in the text, one of the three alignments has this middle.
    let base64 = (0..3).map(|skip| {
        let whole = &secret.as_bytes()[skip..];
        BASE64_STANDARD.encode(&whole[..whole.len() / 3 * 3])
    });
    [
        secret.to_owned(),
        secret.to_lowercase(),
        percent,
        hex,
        list.join(", "),
    ]
    .into_iter()
    .chain(base64)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_ever_printed() {
    let printed = Printed::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(printed.clone())
        .finish()
        .init();

    let way = Arc::new(AtomicUsize::new(0));
    let base = mirror(way.clone()).await;
    for turn in 0..WAYS {
        way.store(turn, Ordering::SeqCst);
        generic(&base, &printed).await;
        twitch(&base, &printed).await;
        moov(&base, &printed).await;
        ministry_platform(&base, &printed).await;
    }
    stores(&printed).await;

    let text = printed.text();
    assert!(text.contains("request failed"), "tracing was not captured");
    assert!(text.contains("invalid_grant"), "errors were not captured");
    assert!(
        text.contains("executing statement"),
        "what the drivers log was not captured"
    );
    for secret in SECRETS {
        for disguise in disguises(secret) {
            if let Some(at) = text.find(&disguise) {
                let from = text.floor_char_boundary(at.saturating_sub(200));
                let to = text.ceil_char_boundary((at + 100).min(text.len()));
                panic!("{disguise:?} was printed: …{}…", &text[from..to]);
            }
        }
    }
}

#[test]
fn a_secret_in_any_disguise_is_found() {
    use base64::{Engine, prelude::BASE64_STANDARD};

    for before in ["", "i", "id:"] {
        let hidden = BASE64_STANDARD.encode(format!("{before}{CLIENT_SECRET}"));
        assert!(
            disguises(CLIENT_SECRET)
                .iter()
                .any(|disguise| hidden.contains(disguise)),
            "{before:?}"
        );
    }
    let bytes = format!("{:?}", CLIENT_SECRET.as_bytes());
    assert!(
        disguises(CLIENT_SECRET)
            .iter()
            .any(|disguise| bytes.contains(disguise))
    );
}
