//! What happened to tokens, for logs, alarms and metrics. No event holds a token.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::SystemTime,
};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::{Error, Scopes, store::Owner};

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A first token came from a [`TokenSource`](super::TokenSource) or was registered.
    Granted {
        /// Whose.
        owner: Owner,
        /// What was granted.
        scopes: Scopes,
        /// When it ends.
        expires_at: Option<SystemTime>,
    },
    /// A refresh token brought a new access token.
    Refreshed {
        /// Whose.
        owner: Owner,
        /// What was granted.
        scopes: Scopes,
        /// When it ends.
        expires_at: Option<SystemTime>,
    },
    /// The server replaced the refresh token (RFC 6749 §6). The new one was stored before this.
    Rotated {
        /// Whose.
        owner: Owner,
    },
    /// Renewing failed. What still works is handed out until its end.
    RefreshFailed {
        /// Whose.
        owner: Owner,
        /// Why.
        error: Error,
    },
    /// The refresh token is dead; the user has to authorize again.
    ReauthorizationRequired {
        /// Whose.
        owner: Owner,
        /// Whether it was lost with a process that was stopped while it renewed, as
        /// [`Error::is_interrupted`] says: neither the user nor the server has ended it.
        interrupted: bool,
    },
    /// A rotated refresh token could not be stored. It is in memory and written again until it is.
    SaveFailed {
        /// Whose.
        owner: Owner,
        /// Why.
        error: Error,
    },
    /// A token was revoked at the server (RFC 7009).
    Revoked {
        /// Whose.
        owner: Owner,
    },
    /// Dead entries were removed from memory or store.
    Purged {
        /// How many owners.
        owners: usize,
    },
}

/// The events since it was made. One that is not read in time misses some rather than hold
/// anything up; [`Events::missed`] says how many.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    missed: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Events {
    /// The next event; `None` after the last manager is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// How many events were dropped because this stream was full.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.receiver.poll_recv(context)
    }
}

const BUFFER: usize = 1024;

/// Those who listen.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Vec<Listener>>);

#[derive(Debug)]
struct Listener {
    sender: mpsc::Sender<Event>,
    missed: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Listeners {
    pub(crate) fn listen(&self) -> Events {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let missed = std::sync::Arc::default();
        let listener = Listener {
            sender,
            missed: std::sync::Arc::clone(&missed),
        };
        self.lock().push(listener);
        Events { receiver, missed }
    }

    pub(crate) fn tell(&self, event: &Event) {
        log(event);
        self.lock()
            .retain(|listener| match listener.sender.try_send(event.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    listener
                        .missed
                        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Listener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(event: &Event) {
    match event {
        Event::Granted { owner, .. } => tracing::debug!(issuer = owner.issuer(), "token granted"),
        Event::Refreshed { owner, .. } => {
            tracing::debug!(issuer = owner.issuer(), "token refreshed");
        }
        Event::Rotated { owner } => {
            tracing::debug!(issuer = owner.issuer(), "refresh token rotated");
        }
        Event::RefreshFailed { owner, error } => {
            tracing::warn!(issuer = owner.issuer(), %error, "refresh failed");
        }
        Event::ReauthorizationRequired { owner, interrupted } => {
            tracing::warn!(
                issuer = owner.issuer(),
                interrupted,
                "the user has to authorize again"
            );
        }
        Event::SaveFailed { owner, error } => {
            tracing::error!(issuer = owner.issuer(), %error, "a token could not be stored");
        }
        Event::Revoked { owner } => tracing::debug!(issuer = owner.issuer(), "token revoked"),
        Event::Purged { owners } => tracing::debug!(owners, "dead entries removed"),
    }
    #[cfg(feature = "metrics")]
    super::metrics::count(event);
}
