//! The running emulator.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::authority::USER;
use crate::builder::Builder;
use crate::core::{CONTROL, Core};
use crate::facade::Kind;
use crate::fault::Script;
use crate::wire::{CuttableListener, Wire};
use crate::{Client, Clock, Error, RecordedRequest};

const CLIENT_ID: &str = "demo";
const CLIENT_SECRET: &str = "demo-secret";
const PUBLIC_CLIENT_ID: &str = "pub";

/// A provider as an HTTP server on this machine. It stops when it is dropped.
///
/// Its state is moved by the methods here, or over HTTP under [`control_url`](Self::control_url).
pub struct Emulator {
    core: Arc<Core>,
    // Dropping it ends the server.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Emulator {
    /// Twitch: `id.twitch.tv/oauth2` and a little of Helix.
    pub fn twitch() -> Builder {
        Builder::new(Kind::Twitch)
    }

    /// Moov: `api.moov.io/oauth2`, `/ping` and `/accounts`.
    pub fn moov() -> Builder {
        Builder::new(Kind::Moov)
    }

    /// Ministry Platform: `/ministryplatformapi` with its OAuth server and tables.
    pub fn ministry_platform() -> Builder {
        Builder::new(Kind::MinistryPlatform)
    }

    /// A server that keeps to the RFCs.
    pub fn rfc() -> Builder {
        Builder::new(Kind::Rfc)
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.core.setup.base_url
    }

    /// Where the control is, with a slash at its end.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("{}{CONTROL}", self.base_url())
    }

    /// The confidential client of the demo set-up.
    #[must_use]
    pub fn client_id(&self) -> &str {
        CLIENT_ID
    }

    /// Its secret.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        CLIENT_SECRET
    }

    /// The public client of the demo set-up; Moov and Ministry Platform know none.
    #[must_use]
    pub fn public_client_id(&self) -> &str {
        PUBLIC_CLIENT_ID
    }

    /// The user of the demo set-up.
    #[must_use]
    pub fn username(&self) -> &str {
        USER
    }

    /// The user's password.
    #[must_use]
    pub fn password(&self) -> &str {
        USER
    }

    /// The URL of an endpoint by the name [`info`](Self::info) gives it.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<String> {
        let endpoints = self.core.kind.endpoints();
        let (_, path) = endpoints.iter().find(|(known, _)| *known == name)?;
        Some(format!("{}{path}", self.base_url()))
    }

    /// All that a program needs to use this emulator, as one JSON object: `provider`,
    /// `base_url`, `control_url`, the demo credentials, `endpoints` by name.
    #[must_use]
    pub fn info(&self) -> Value {
        let endpoints = self.core.kind.endpoints().iter();
        let endpoints = endpoints
            .map(|(name, path)| {
                let url = format!("{}{path}", self.base_url());
                ((*name).to_owned(), url.into())
            })
            .collect::<Map<_, _>>();
        json!({
            "provider": self.core.kind.name(),
            "base_url": self.base_url(),
            "control_url": self.control_url(),
            "client_id": self.client_id(),
            "client_secret": self.client_secret(),
            "username": self.username(),
            "password": self.password(),
            "endpoints": endpoints,
        })
    }

    /// The time the emulator lives in.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.core.setup.clock
    }

    /// What arrived so far, oldest first, secrets masked.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.core.recorder.requests()
    }

    /// Adds a client, or changes the one with that id.
    ///
    /// # Errors
    ///
    /// When the client could not be registered, for example because a redirect URI is none.
    pub async fn put_client(&self, client: Client) -> Result<(), Error> {
        Ok(self.core.facade().await.put_client(client)?)
    }

    /// From now on a new key signs, with `ES256`, `RS256` or `EdDSA`; of the others, `keep` stay
    /// published, the youngest first (RFC). Gives the id of the new one (`kid`).
    ///
    /// # Errors
    ///
    /// When there is no such algorithm, or the provider signs nothing.
    pub async fn rotate_key(&self, algorithm: &str, keep: usize) -> Result<String, Error> {
        Ok(self.core.facade().await.rotate_key(algorithm, keep)?)
    }

    /// Scripts what the next requests meet, in the JSON of `POST /_control/faults`.
    ///
    /// # Errors
    ///
    /// When the script is none; the error's source says what is wrong with it.
    pub fn script_fault(&self, script: Value) -> Result<(), Error> {
        let script = serde_json::from_value::<Script>(script);
        let script = script.map_err(|error| Error::script(error.to_string()))?;
        self.core.faults.add(script).map_err(Error::script)
    }

    /// Ends it and waits until nothing listens any more.
    pub async fn stop(mut self) {
        drop(self.stop);
        // A client that never finishes its request must not keep a test from ending.
        if tokio::time::timeout(Duration::from_secs(2), &mut self.serving)
            .await
            .is_err()
        {
            self.serving.abort();
        }
    }

    pub(crate) fn serve(core: Core, listener: CuttableListener) -> Self {
        let core = Arc::new(core);
        let service = core
            .clone()
            .router()
            .into_make_service_with_connect_info::<Wire>();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let server = axum::serve(listener, service).with_graceful_shutdown(async {
                // Either way it is over: told to stop, or dropped.
                let _ = stopped.await;
            });
            // It only ends by the signal above; accept errors are retried inside.
            let _ = server.await;
        });
        Self {
            core,
            stop,
            serving,
        }
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("provider", &self.core.kind)
            .field("base_url", &self.base_url())
            .finish_non_exhaustive()
    }
}
