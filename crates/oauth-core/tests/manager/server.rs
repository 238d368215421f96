//! A token endpoint in the same process: every answer is scripted or made by a small model, every
//! request is remembered, and the whole can be held up.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{
    Capabilities, Capability, Client, Endpoints, GenericProvider, Limits, Provider, RetryPolicy,
    Transport, TransportError, TransportErrorKind,
    clock::{Clock, ManualClock},
};
use tokio::sync::watch;

/// What the endpoint does with a request.
pub(crate) type Answer = Result<(u16, String), TransportErrorKind>;

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) clock: ManualClock,
    state: Arc<Mutex<State>>,
    /// Whether requests are answered.
    gate: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct State {
    scripted: VecDeque<Answer>,
    requests: Vec<Vec<(String, String)>>,
    /// The endpoint of each request.
    paths: Vec<String>,
    /// What other endpoints than that for tokens answer.
    others: HashMap<String, (u16, String)>,
    issued: u64,
    lifetime: u64,
    rotate: bool,
    /// The one refresh token that is good; `None` accepts any.
    good: Option<String>,
}

impl Server {
    /// One that answers every token request with a token of an hour, and rotates refresh tokens.
    pub(crate) fn new() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Self {
            clock: ManualClock::at(start),
            state: Arc::new(Mutex::new(State {
                lifetime: 3600,
                rotate: true,
                ..State::default()
            })),
            gate: Arc::new(watch::Sender::new(true)),
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(Self::provider(&[
            Capability::ClientCredentials,
            Capability::RefreshToken,
            Capability::ScopeOnRefresh,
        ]))
    }

    pub(crate) fn client_without_narrowing(&self) -> Client {
        self.client_of(Self::provider(&[
            Capability::ClientCredentials,
            Capability::RefreshToken,
        ]))
    }

    /// Of a server that refuses in prose.
    pub(crate) fn client_of_prose(&self) -> Client {
        self.client_of(Prose(Self::provider(&[
            Capability::ClientCredentials,
            Capability::RefreshToken,
        ])))
    }

    fn provider(capabilities: &[Capability]) -> GenericProvider {
        let endpoints = Endpoints::new("https://id.example.com/token")
            .unwrap()
            .with_revocation("https://id.example.com/revoke")
            .unwrap()
            .with_introspection("https://id.example.com/introspect")
            .unwrap();
        GenericProvider::new(endpoints)
            .with_capabilities(Capabilities::of(capabilities.iter().copied()))
    }

    fn client_of(&self, provider: impl Provider) -> Client {
        Client::builder(provider, "client")
            .client_secret("secret")
            .transport(self.clone())
            .clock(Arc::new(self.clock.clone()))
            .retry(RetryPolicy::none())
            .build()
            .unwrap()
    }

    /// One whose clock stands still while somebody sleeps.
    pub(crate) fn stepped() -> Self {
        let mut server = Self::new();
        server.clock = ManualClock::stepped(server.clock.now());
        server
    }

    /// Another endpoint, `/userinfo`, answers this from now on.
    pub(crate) fn at(&self, path: &str, status: u16, body: &str) {
        let mut state = self.state.lock().unwrap();
        state
            .others
            .insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Whether a refresh brings a new refresh token.
    pub(crate) fn rotate(&self, rotate: bool) {
        self.state.lock().unwrap().rotate = rotate;
    }

    /// How long tokens live, in seconds.
    pub(crate) fn lifetime(&self, seconds: u64) {
        self.state.lock().unwrap().lifetime = seconds;
    }

    /// The endpoints that were asked, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state.lock().unwrap().paths.clone()
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.paths().iter().filter(|have| *have == path).count()
    }

    /// The next request gets this answer.
    pub(crate) fn script(&self, answer: Answer) {
        self.state.lock().unwrap().scripted.push_back(answer);
    }

    /// From now on only this refresh token is good, and then whichever replaces it.
    pub(crate) fn accept(&self, refresh_token: &str) {
        self.state.lock().unwrap().good = Some(refresh_token.to_owned());
    }

    /// Holds all answers up until [`Server::go`].
    pub(crate) fn hold(&self) {
        self.gate.send_replace(false);
    }

    pub(crate) fn go(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until `count` requests have come.
    pub(crate) async fn until(&self, count: usize) {
        while self.count() < count {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// A parameter of request `index`.
    pub(crate) fn sent(&self, index: usize, name: &str) -> Option<String> {
        let state = self.state.lock().unwrap();
        let params = &state.requests[index];
        params
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.clone())
    }
}

/// Any 400 is the end of a refresh token.
#[derive(Debug)]
struct Prose(GenericProvider);

impl Provider for Prose {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn endpoints(&self) -> &Endpoints {
        self.0.endpoints()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn ends_refresh_token(&self, error: &oauth_core::Error) -> bool {
        error.status() == Some(http::StatusCode::BAD_REQUEST)
    }
}

/// A transport is shown with its client, and this one remembers what was sent.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl State {
    fn answer(&mut self, params: &[(String, String)]) -> Answer {
        if let Some(answer) = self.scripted.pop_front() {
            return answer;
        }
        let get = |name: &str| params.iter().find(|(have, _)| have == name);
        let refresh = get("refresh_token").map(|(_, value)| value.clone());
        if let (Some(sent), Some(good)) = (&refresh, &self.good)
            && sent != good
        {
            return Ok((400, r#"{"error":"invalid_grant"}"#.to_owned()));
        }
        self.issued += 1;
        let number = self.issued;
        let mut answer = serde_json::json!({
            "access_token": format!("access-{number}"),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
        });
        if refresh.is_some() && self.rotate {
            let rotated = format!("refresh-{number}");
            answer["refresh_token"] = rotated.clone().into();
            self.good = self.good.is_some().then_some(rotated);
        }
        Ok((200, answer.to_string()))
    }
}

#[async_trait]
impl Transport for Server {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let params: Vec<(String, String)> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let path = request.uri().path().to_owned();
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(params.clone());
            state.paths.push(path.clone());
            match state.others.get(&path) {
                Some(answer) => Ok(answer.clone()),
                None => state.answer(&params),
            }
        };
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        let (status, body) = answer.map_err(TransportError::new)?;
        Ok(http::Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Bytes::from(body))
            .unwrap())
    }
}
