//! A server that gives the answers of a script, and remembers what it was asked.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use oauth_core::clock::ManualClock;
use twitch::{Client, ClientBuilder, Twitch, oauth_core};

pub(crate) const CLIENT_ID: &str = "cid";
pub(crate) const SECRET: &str = "planted-client-secret&=";

pub(crate) struct Server {
    mock: MockServer,
    asked: Arc<Mutex<Vec<String>>>,
    pub(crate) clock: ManualClock,
}

/// One answer: status, headers, body.
#[derive(Clone)]
pub(crate) struct Answer(u16, Vec<(&'static str, String)>, String);

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self(
            status,
            vec![("content-type", "application/json; charset=utf-8".to_owned())],
            body.into(),
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.1.push((name, value.to_string()));
        self
    }
}

/// The answer in a fixture; its status is in the file's name.
pub(crate) fn fixture(name: &str) -> Answer {
    let status = name.rsplit('.').next().unwrap().parse().unwrap();
    Answer::new(status, text_of(&format!("{name}.json")))
}

pub(crate) fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

impl Server {
    pub(crate) async fn of(script: impl IntoIterator<Item = Answer>) -> Self {
        let mock = MockServer::start_async().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Mutex::new(script.into_iter().collect::<VecDeque<_>>());
        let log = asked.clone();
        mock.mock_async(move |when, then| {
            when.is_true(|_| true);
            then.respond_with(move |request: &HttpMockRequest| {
                log.lock().unwrap().push(show(request));
                let Answer(status, headers, body) = script
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or_else(|| Answer::new(418, "the script is over"));
                HttpMockResponse::builder()
                    .status(status)
                    .headers(headers)
                    .body(body)
                    .build()
            });
        })
        .await;
        let clock = ManualClock::at(now());
        Self { mock, asked, clock }
    }

    fn builder(&self) -> ClientBuilder {
        let twitch = Twitch::at(&self.mock.base_url()).unwrap();
        Client::builder_for(twitch, CLIENT_ID).clock(Arc::new(self.clock.clone()))
    }

    pub(crate) fn confidential(&self) -> Client {
        self.builder().client_secret(SECRET).build().unwrap()
    }

    pub(crate) fn public(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// What was asked so far: request line, headers (without those of the connection) and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn base_url(&self) -> String {
        self.mock.base_url()
    }
}

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn show(request: &HttpMockRequest) -> String {
    let uri = request.uri();
    let target = uri.path_and_query().unwrap();
    let mut headers: Vec<String> = request
        .headers_vec()
        .iter()
        .filter(|(name, _)| {
            !["host", "user-agent", "content-length"].contains(&name.to_ascii_lowercase().as_str())
        })
        .map(|(name, value)| format!("{}: {value}\n", name.to_ascii_lowercase()))
        .collect();
    headers.sort();
    format!(
        "{} {target}\n{}\n{}",
        request.method_str(),
        headers.concat(),
        request.body_string()
    )
}
