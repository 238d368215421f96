//! A server that gives the answers of a script and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use http::HeaderMap;
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use moov::{Client, ClientBuilder, TokenSet, oauth_core};
use oauth_core::{AccessToken, RefreshToken, clock::ManualClock};

pub(crate) const TOKEN: &str = r#"{"access_token":"access-1","refresh_token":"refresh-1","token_type":"Bearer","expires_in":900,"scope":"/accounts.read"}"#;

/// A second before the time in `moov.token.200.json`.
pub(crate) const NOW: u64 = 1_736_964_351;

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

pub(crate) fn reply(status: u16, body: impl Into<String>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

impl Reply {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    /// A header that came exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap());
        assert!(all.next().is_none(), "{name} came twice");
        first
    }
}

pub(crate) struct Server {
    mock: MockServer,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Gives each request the next reply, and the last one to all further requests.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let script: Vec<Reply> = script.into_iter().collect();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mock = MockServer::start_async().await;
        let remember = Arc::clone(&seen);
        mock.mock_async(move |when, then| {
            when.any_request();
            then.respond_with(move |request| {
                let mut seen = remember.lock().unwrap();
                let reply = &script[seen.len().min(script.len() - 1)];
                seen.push(see(request));
                let mut response = HttpMockResponse::builder()
                    .status(reply.status)
                    .body(reply.body.clone());
                for (name, value) in &reply.headers {
                    response = response.header(name, value);
                }
                response.build()
            });
        })
        .await;
        Self { mock, seen }
    }

    pub(crate) fn base_url(&self) -> String {
        self.mock.base_url()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder("PUB", "SECRET-KEY")
            .origin("https://example.com")
            .base_url(self.base_url())
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// A client whose clock stands at [`NOW`] and moves by sleeping.
    pub(crate) fn timed(&self) -> (ClientBuilder, ManualClock) {
        let clock = ManualClock::at(at(NOW));
        (self.builder().clock(Arc::new(clock.clone())), clock)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn see(request: &HttpMockRequest) -> Seen {
    Seen {
        line: format!(
            "{} {}",
            request.method_str(),
            request
                .uri()
                .path_and_query()
                .map_or("", |uri| uri.as_str())
        ),
        headers: request.headers(),
        body: request.body_string(),
    }
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn fixture(name: &str) -> String {
    let path = format!(
        "{}/tests/fixtures/moov.{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn refresh_token() -> RefreshToken {
    RefreshToken::new("refresh-0").unwrap()
}

pub(crate) fn stored_token() -> TokenSet {
    TokenSet::new(AccessToken::new("access-0").unwrap(), at(0))
        .with_refresh_token(Some(refresh_token()))
}
