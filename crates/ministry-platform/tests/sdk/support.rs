//! A church: an HTTP server that answers as a test says, and remembers every byte it was sent.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use ministry_platform::{
    Authentication, AuthenticationBuilder,
    oauth_core::{
        Limits, ReqwestTransport, Token, TokenSet, Transport, TransportError, clock::ManualClock,
    },
};
use tokio::sync::Semaphore;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, as they were sent.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn is_token(&self) -> bool {
        self.target == "/ministryplatformapi/oauth/connect/token"
    }

    pub(crate) fn has(&self, form_member: &str) -> bool {
        self.is_token() && self.body.split('&').any(|member| member == form_member)
    }

    pub(crate) fn is_table(&self) -> bool {
        self.target.starts_with("/ministryplatformapi/tables/")
    }

    fn summary(&self) -> String {
        let grant = self
            .body
            .split('&')
            .find_map(|member| member.strip_prefix("grant_type="));
        let path = self
            .target
            .split('?')
            .next()
            .unwrap_or_default()
            .trim_start_matches("/ministryplatformapi");
        match grant {
            Some(grant) => grant.to_owned(),
            None => format!("{} {path}", self.method),
        }
    }
}

/// An answer: status, body, media type.
pub(crate) type Reply = (u16, String, &'static str);

pub(crate) fn json(status: u16, body: impl ToString) -> Reply {
    (status, body.to_string(), "application/json")
}

/// The answer of a token endpoint.
pub(crate) fn token(access_token: impl std::fmt::Display) -> Reply {
    json(
        200,
        serde_json::json!({"access_token": access_token.to_string(), "token_type": "Bearer", "expires_in": 3600}),
    )
}

pub(crate) fn row(client_id: &str, secret: &str) -> Reply {
    json(
        200,
        serde_json::json!([{"Client_ID": client_id, "Client_Secret": secret, "Is_Enabled": true}]),
    )
}

pub(crate) fn refusal(code: &str) -> Reply {
    json(400, serde_json::json!({ "error": code }))
}

pub(crate) struct Church {
    server: MockServer,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) clock: ManualClock,
}

impl Church {
    /// A church that answers request number n (from 0) as `answer` says.
    pub(crate) async fn new(
        answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start_async().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        server
            .mock_async(|when, then| {
                when.any_request();
                then.respond_with(move |request| {
                    let request = read(request);
                    let mut kept = kept.lock().unwrap();
                    let (status, body, media_type) = answer(&request, kept.len());
                    kept.push(request);
                    HttpMockResponse::builder()
                        .status(status)
                        .header("content-type", media_type)
                        .body(body)
                        .build()
                });
            })
            .await;
        let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        Self {
            server,
            seen,
            clock,
        }
    }

    /// One that hands out tokens `t0`, `t1`, … by request number, has a row for every client with
    /// the secret `row-secret`, and gives `[]` otherwise.
    pub(crate) async fn friendly() -> Self {
        Self::new(|request, n| match request {
            _ if request.is_token() => token(format_args!("t{n}")),
            _ if request.target.contains("dp_API_Clients") => {
                row(&wanted(&request.target), "row-secret")
            }
            _ => json(200, "[]"),
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    pub(crate) fn builder(&self) -> AuthenticationBuilder {
        Authentication::builder(self.url())
            .username("user")
            .password("pass")
            .client_id("client")
            .client_secret("secret")
            .clock(Arc::new(self.clock.clone()))
    }

    pub(crate) fn authentication(&self) -> Authentication {
        self.builder().build().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Grant types, or method and path, in order.
    pub(crate) fn order(&self) -> Vec<String> {
        self.seen().iter().map(Seen::summary).collect()
    }
}

/// The client id in the filter of a look-up.
pub(crate) fn wanted(target: &str) -> String {
    let (_, filter) = target.split_once("%20%3D%20%27").unwrap();
    filter.trim_end_matches("%27").to_owned()
}

fn read(request: &HttpMockRequest) -> Seen {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    Seen {
        method: request.method_str().to_owned(),
        target: request.uri().path_and_query().unwrap().as_str().to_owned(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        body: request.body_string(),
    }
}

pub(crate) fn text(token: &TokenSet) -> &str {
    token.access_token().expose_secret()
}

/// A transport whose requests wait for a permit before they go.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    inner: ReqwestTransport,
    arrived: Arc<Semaphore>,
    permits: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self {
            inner: ReqwestTransport::new().unwrap(),
            arrived: none(),
            permits: none(),
        }
    }

    /// Waits until one more request stands before the gate.
    pub(crate) async fn arrival(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub(crate) fn open(&self, requests: usize) {
        self.permits.add_permits(requests);
    }
}

#[async_trait]
impl Transport for Gate {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.arrived.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
        self.inner.send(request, limits).await
    }
}
