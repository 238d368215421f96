//! One way through for every request: control, or recorder, fault, façade.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, State};
use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use oauth_server::BuildError;
use tokio::sync::RwLock;

use crate::authority::Setup;
use crate::contexts::with_trouble;
use crate::facade::{Facade, Kind};
use crate::fault::{Action, Faults};
use crate::recorder::Recorder;
use crate::switches::Settings;
use crate::wire::Wire;
use crate::{control, reply};

pub(crate) const CONTROL: &str = "/_control/";

/// No provider takes a larger request than this.
const MOST_BODY_BYTES: usize = 1 << 20;
const LONGEST_BODY: Duration = Duration::from_secs(5);

/// What an emulator is made of, shared by all its connections.
pub(crate) struct Core {
    pub(crate) kind: Kind,
    pub(crate) setup: Setup,
    pub(crate) recorder: Recorder,
    pub(crate) faults: Faults,
    initial: Settings,
    facade: RwLock<Arc<dyn Facade>>,
}

impl Core {
    pub(crate) fn new(kind: Kind, setup: Setup) -> Result<Self, BuildError> {
        let facade = RwLock::new(Arc::from(kind.build(&setup)?));
        Ok(Self {
            kind,
            initial: setup.switches.get(),
            setup,
            recorder: Recorder::default(),
            faults: Faults::default(),
            facade,
        })
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(self)
    }

    pub(crate) async fn facade(&self) -> Arc<dyn Facade> {
        self.facade.read().await.clone()
    }

    /// Starts over: as the emulator was when it was started.
    pub(crate) async fn reset(&self) -> Result<(), BuildError> {
        let mut facade = self.facade.write().await;
        self.setup.clock.reset();
        self.setup.switches.set(self.initial.clone());
        self.recorder.clear();
        self.faults.clear();
        *facade = Arc::from(self.kind.build(&self.setup)?);
        Ok(())
    }

    async fn serve(&self, request: Request<Bytes>, wire: &Wire) -> Response<Bytes> {
        let (method, path) = (request.method(), request.uri().path());
        self.recorder.record(&request);
        let fault = self.faults.take(method, path);
        let facade = self.facade().await;
        facade.authority().settle();
        match fault {
            None => facade.answer(&request).await,
            Some(Action::Answer(response)) => response,
            Some(Action::Close) => cut(wire),
            Some(Action::CommitThenClose) => {
                facade.answer(&request).await;
                cut(wire)
            }
            Some(Action::CommitThenStatus(status)) => {
                facade.answer(&request).await;
                reply::empty(status)
            }
            Some(Action::Trouble(trouble)) => {
                let answer = with_trouble(trouble, facade.answer(&request)).await;
                answer.unwrap_or_else(|| cut(wire))
            }
        }
    }
}

async fn answer(
    State(core): State<Arc<Core>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request<Body>,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    if core.setup.switches.get().throttle {
        head.extensions.insert(oauth_server::Source(wire.peer()));
    }
    let body = match read(body).await {
        Ok(body) => body,
        // The rest of the body is still to come, so the connection is of no more use.
        Err(status) => {
            return reply::with_header(reply::empty(status), CONNECTION, "close").map(Body::from);
        }
    };
    let request = Request::from_parts(head, body);
    // A client that goes away must not stop what it began: real servers carry on, too.
    let served = tokio::spawn(async move {
        if request.uri().path().starts_with(CONTROL) {
            control::answer(&core, &request).await
        } else {
            core.serve(request, &wire).await
        }
    });
    match served.await {
        Ok(response) => response.map(Body::from),
        Err(_) => reply::empty(StatusCode::INTERNAL_SERVER_ERROR).map(Body::from),
    }
}

async fn read(body: Body) -> Result<Bytes, StatusCode> {
    // What is announced need not be waited for.
    if body.size_hint().lower() > MOST_BODY_BYTES as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let collected = Limited::new(body, MOST_BODY_BYTES).collect();
    match tokio::time::timeout(LONGEST_BODY, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn cut(wire: &Wire) -> Response<Bytes> {
    wire.cut();
    reply::empty(StatusCode::OK)
}
