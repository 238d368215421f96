//! How an emulator is to be.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::authority::Setup;
use crate::core::Core;
use crate::facade::Kind;
use crate::switches::{Settings, Switches};
use crate::wire::CuttableListener;
use crate::{Client, Clock, Emulator, Error};

/// An emulator before it starts; made by [`Emulator::twitch`] and its siblings.
///
/// A switch that does not concern the provider has no effect. All of them can be changed later
/// by `POST /_control/switches` with an object of their names and values.
#[derive(Clone, Debug)]
#[must_use = "it listens only once it is started"]
pub struct Builder {
    kind: Kind,
    listen: SocketAddr,
    clients: Vec<Client>,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            clients: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// The loopback address to listen on; by default a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// One more client, or a change to one of the demo set-up.
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Whether the person at the authorization endpoint says no (Twitch, Ministry Platform, RFC).
    pub fn deny(mut self, deny: bool) -> Self {
        self.settings.deny = deny;
        self
    }

    /// Whether a refresh is answered with `expires_in` (Twitch); true by default.
    pub fn expires_in_on_refresh(mut self, send: bool) -> Self {
        self.settings.expires_in_on_refresh = send;
        self
    }

    /// Whether a refresh is answered with `scope` as one text instead of a list (Twitch).
    pub fn scope_as_text_on_refresh(mut self, text: bool) -> Self {
        self.settings.scope_as_text_on_refresh = text;
        self
    }

    /// How many requests are answered before 429: Helix calls a minute of each client and user
    /// (Twitch, 800 by default), requests a second (Moov, unlimited by default).
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.settings.rate_limit = Some(requests);
        self
    }

    /// Whether `expires_in` is a point of time, in seconds since 1970, instead of seconds from
    /// now (Moov); true by default.
    pub fn expires_in_as_unix_time(mut self, unix_time: bool) -> Self {
        self.settings.expires_in_as_unix_time = unix_time;
        self
    }

    /// The origins the key pair may be used from (Moov), by default `http://localhost:3000` and
    /// `https://example.com`.
    pub fn allowed_origins<S: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = S>,
    ) -> Self {
        self.settings.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Whether discovery names the issuer `Forms`, as older servers do, instead of its URL
    /// (Ministry Platform).
    pub fn forms_issuer(mut self, forms: bool) -> Self {
        self.settings.forms_issuer = forms;
        self
    }

    /// Whether many failed authentications of one client from one address slow it down (RFC).
    pub fn throttle(mut self, throttle: bool) -> Self {
        self.settings.throttle = throttle;
        self
    }

    /// Whether the authorization endpoint shows pages for login and consent instead of deciding by
    /// itself (RFC).
    pub fn pages(mut self, pages: bool) -> Self {
        self.settings.pages = pages;
        self
    }

    /// Listens, and serves in a task of the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// When the address is taken or is not a loopback address, or a client cannot be registered.
    pub async fn start(self) -> Result<Emulator, Error> {
        if !self.listen.ip().is_loopback() {
            return Err(Error::not_loopback(self.listen));
        }
        let listener = TcpListener::bind(self.listen).await?;
        let switches = Switches::default();
        switches.set(self.settings);
        let setup = Setup {
            base_url: format!("http://{}", listener.local_addr()?),
            clock: Clock::default(),
            switches,
            clients: self.clients,
        };
        let core = Core::new(self.kind, setup)?;
        Ok(Emulator::serve(core, CuttableListener(listener)))
    }
}
