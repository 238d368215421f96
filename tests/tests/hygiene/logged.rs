//! What an authorization server writes into its log while it is asked with secrets.

use std::{
    io,
    sync::{Arc, Mutex},
};

use oauth_conformance::{Control, wire};
use oauth_emulators::Emulator;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub(crate) fn run() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // While there is just one, what another test's thread comes to first is asked of that thread's,
    // which is none, and is off for everybody from then on.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // All of it on this thread, whose log it is.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let seen = tracing::subscriber::with_default(subscriber, || runtime.unwrap().block_on(ask()));
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        text.contains("a refresh token was used again"),
        "the server's log was not captured"
    );
    for mark in seen {
        assert!(!text.contains(&mark), "the log has {mark}");
    }
}

/// Asks with secrets in every place, good and bad, and gives what must not be in the log.
async fn ask() -> Vec<String> {
    let server = Emulator::rfc().start().await.unwrap();
    let base = server.base_url();
    let basic = ("Authorization", "Basic c3ZjOnN2Yy1zZWNyZXQ=");
    let mut seen = [
        "MARKstate",
        "MARKquery",
        "MARKuser",
        "MARKpassword",
        "MARKcode",
        "MARKtoken",
        "svc-secret",
        "c3ZjOnN2Yy1zZWNyZXQ",
    ]
    .map(str::to_owned)
    .to_vec();

    let authorize = "/authorize?response_type=code&client_id=svc&state=MARKstate&more=MARKquery";
    wire::request(base, "GET", authorize, &[], b"")
        .await
        .unwrap();
    let token = async |form: &[(&str, &str)]| {
        wire::post_form(base, "/token?access_token=MARKquery", &[basic], form)
            .await
            .unwrap();
        wire::post_form(base, "/token", &[basic], form)
            .await
            .unwrap()
    };
    token(&[
        ("grant_type", "password"),
        ("username", "MARKuser"),
        ("password", "MARKpassword"),
    ])
    .await;
    token(&[("grant_type", "authorization_code"), ("code", "MARKcode")]).await;
    token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "MARKtoken"),
    ])
    .await;
    wire::post_form(base, "/revoke", &[basic], &[("token", "MARKtoken")])
        .await
        .unwrap();

    // A refresh token that is used twice is worth a line, and the line names no token.
    let code = Control::new(base)
        .code(json!({"client_id": "svc", "redirect_uri": "http://127.0.0.1/callback", "scope": "read", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}))
        .await
        .unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1/callback"),
        ("code_verifier", VERIFIER),
    ];
    let answer = wire::post_form(base, "/token", &[basic], &form)
        .await
        .unwrap();
    let tokens = answer.json().unwrap();
    let refresh = tokens["refresh_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{tokens}"))
        .to_owned();
    let again = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    for _ in 0..2 {
        wire::post_form(base, "/token", &[basic], &again)
            .await
            .unwrap();
    }
    seen.extend([code, refresh, VERIFIER.to_owned()]);
    seen
}
