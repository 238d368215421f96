//! A proxy that breaks what passes: between a client and any server over plain HTTP, ours or not.
//!
//! Each connection meets the next [`Fault`] of the proxy's list; when the list is at its end,
//! everything passes. What is drawn (where an answer is cut, by how much a length is wrong) comes
//! from a [`Seed`]. The server's own address in an answer becomes the proxy's, so that metadata
//! lead through the proxy, too.
//!
//! ```
//! use oauth_conformance::{Fault, FaultProxy, ScriptedServer, Reply, Seed, wire};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = ScriptedServer::start([Reply::new(200).body("whole")]).await.unwrap();
//! let faults = [Some(Fault::Redirect), None];
//! let proxy = FaultProxy::start(server.base_url(), faults, Seed::new(7)).await.unwrap();
//! let answer = wire::request(proxy.base_url(), "GET", "/", &[], b"").await.unwrap();
//! assert!((300..400).contains(&answer.status()));
//! let answer = wire::request(proxy.base_url(), "GET", "/", &[], b"").await.unwrap();
//! assert_eq!(answer.text(), "whole");
//! # });
//! ```

mod bomb;
mod exchange;
mod fault;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::{Secrets, Seed, tls};
use exchange::{End, exchange};
pub use fault::Fault;

/// The proxy, on a free loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    base_url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

pub(crate) struct Shared {
    upstream: String,
    base_url: String,
    tls: Option<TlsAcceptor>,
    seed: Seed,
    state: Mutex<State>,
    /// Whether connections are taken: not while one is to be refused.
    listening: watch::Sender<bool>,
    /// Counts the calls of [`FaultProxy::heal`].
    healed: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Option<Fault>>,
    connections: usize,
    paths: Vec<String>,
    forwarded: usize,
    secrets: Option<Secrets>,
}

impl FaultProxy {
    /// A proxy in front of `upstream`, whose n-th connection meets the n-th of `faults`.
    /// [`Fault::Refuse`] concerns every connection until [`FaultProxy::heal`]: nobody sees one that
    /// is refused. With a [`Fault::TlsClose`] in the list the proxy speaks TLS, with a certificate
    /// of the suite's own authority.
    ///
    /// # Errors
    /// When it cannot listen on loopback.
    pub async fn start(
        upstream: &str,
        faults: impl IntoIterator<Item = Option<Fault>>,
        seed: Seed,
    ) -> io::Result<Self> {
        let faults: VecDeque<_> = faults.into_iter().collect();
        let tls = match faults.contains(&Some(Fault::TlsClose)) {
            true => Some(tls::acceptor(tls::CERTIFICATE).map_err(io::Error::other)?),
            false => None,
        };
        let socket = bind(([127, 0, 0, 1], 0).into())?;
        let address = socket.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let refuses = faults.front() == Some(&Some(Fault::Refuse));
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            base_url: format!("{scheme}://{address}"),
            tls,
            seed,
            state: Mutex::new(State {
                faults,
                ..State::default()
            }),
            listening: watch::Sender::new(false),
            healed: watch::Sender::new(0),
        });
        let (task, base_url) = (shared.clone(), shared.base_url.clone());
        let proxy = Self {
            base_url,
            shared,
            task: tokio::spawn(async move {
                // Without its port it is a proxy that refuses; whoever waits for it is told below.
                let _ = task.accept(socket, address).await;
                task.listening.send_replace(false);
            }),
        };
        if !refuses {
            proxy.listens().await?;
        }
        Ok(proxy)
    }

    /// Remembers the secrets that pass.
    #[must_use]
    pub fn watched(self, secrets: &Secrets) -> Self {
        self.shared.lock().secrets = Some(secrets.clone());
        self
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Lets everything pass from now on.
    ///
    /// # Errors
    /// When it cannot listen on its port again.
    pub async fn heal(&self) -> io::Result<()> {
        self.shared.lock().faults.clear();
        self.shared.healed.send_modify(|count| *count += 1);
        self.listens().await
    }

    /// The paths of the requests that came, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.shared.lock().paths.clone()
    }

    /// How many requests the server has answered.
    #[must_use]
    pub fn forwarded(&self) -> usize {
        self.shared.lock().forwarded
    }

    async fn listens(&self) -> io::Result<()> {
        let mut listening = self.shared.listening.subscribe();
        let limit = std::time::Duration::from_secs(10);
        match tokio::time::timeout(limit, listening.wait_for(|listening| *listening)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(io::Error::other("the proxy has lost its port")),
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn accept(
        self: &Arc<Self>,
        mut socket: TcpSocket,
        address: SocketAddr,
    ) -> io::Result<()> {
        let mut connections = JoinSet::new();
        let mut healed = self.healed.subscribe();
        loop {
            // Bound, so that nobody else gets the port, but not listening: refused.
            while self.refuses() {
                healed.changed().await.map_err(io::Error::other)?;
            }
            let listener = socket.listen(64)?;
            self.listening.send_replace(true);
            let last = self.take_connections(&listener, &mut connections).await?;
            self.listening.send_replace(false);
            drop(listener);
            socket = bind(address)?;
            connections.spawn(self.clone().serve(last.0, last.1, last.2));
        }
    }

    /// Serves connections; gives the one after which connections are to be refused.
    async fn take_connections(
        self: &Arc<Self>,
        listener: &TcpListener,
        connections: &mut JoinSet<()>,
    ) -> io::Result<(TcpStream, Option<Fault>, Seed)> {
        loop {
            let (stream, _) = listener.accept().await?;
            let (fault, seed) = self.next();
            if self.refuses() {
                return Ok((stream, fault, seed));
            }
            connections.spawn(self.clone().serve(stream, fault, seed));
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, fault: Option<Fault>, seed: Seed) {
        // What goes wrong here is what the client sees.
        let _ = match &self.tls {
            None => self.serve_plain(stream, fault, seed).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(mut stream) => exchange(&self, &mut stream, fault, seed).await.map(drop),
                Err(error) => Err(error),
            },
        };
    }

    async fn serve_plain(
        &self,
        mut stream: TcpStream,
        fault: Option<Fault>,
        seed: Seed,
    ) -> io::Result<()> {
        if exchange(self, &mut stream, fault, seed).await? == End::Reset {
            stream.set_zero_linger()?;
        }
        Ok(())
    }

    fn refuses(&self) -> bool {
        self.lock().faults.front() == Some(&Some(Fault::Refuse))
    }

    fn next(&self) -> (Option<Fault>, Seed) {
        let mut state = self.lock();
        let number = state.connections;
        state.connections += 1;
        let fault = state.faults.pop_front().flatten();
        (fault, self.seed.of(&number.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The connections that were served before still hold the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
