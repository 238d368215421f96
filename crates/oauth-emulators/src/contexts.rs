//! The records behind the server, as a test may have them: out of reach, or with their refresh
//! tokens dead.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::SystemTime;

use async_trait::async_trait;
use oauth_server::{
    AccessTokenRecord, AccessTokens, AuthorizationCodeRecord, AuthorizationCodes, Clients,
    ContextError, DeviceCodeRecord, DeviceCodes, GrantId, JwtIds, RefreshTokenRecord,
    ResourceOwners, Rotation, Scope, TokenHash,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::guard::lock;

tokio::task_local! {
    // Set for the one request that met the fault, so that no other request notices.
    static TROUBLE: Cell<Trouble>;
}

/// What a request's server meets when it asks for its records.
#[derive(Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    /// How many times it gets them all the same.
    pub(crate) after: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum TroubleKind {
    /// They cannot be reached.
    Down,
    /// The code that reads them panics.
    Panic,
    /// The process is killed there: nothing of the request happens any more.
    Killed,
    /// That has happened.
    Dead,
}

/// Runs a request whose server meets trouble; there is no answer if it was killed.
pub(crate) async fn with_trouble<F: Future>(trouble: Trouble, request: F) -> Option<F::Output> {
    let killed = || TROUBLE.with(|cell| matches!(cell.get().kind, TroubleKind::Dead));
    let request = async {
        let mut request = pin!(request);
        poll_fn(|context| match request.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if killed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    };
    TROUBLE.scope(Cell::new(trouble), request).await
}

async fn reachable() -> Result<(), ContextError> {
    // As with records on another machine, other requests get their turn here; without it no two
    // of them would ever be between a look and a change at the same time.
    tokio::task::yield_now().await;
    let met = TROUBLE.try_with(|cell| {
        let Trouble { kind, after } = cell.get();
        let after = after.checked_sub(1);
        if let Some(after) = after {
            cell.set(Trouble { kind, after });
        }
        after.is_none().then_some(kind)
    });
    match met.ok().flatten() {
        None => Ok(()),
        Some(TroubleKind::Down) => Err(ContextError::new("the store is down")),
        // As a panic, but nothing is printed for what was asked for.
        Some(TroubleKind::Panic) => std::panic::resume_unwind(Box::new("scripted")),
        Some(TroubleKind::Killed | TroubleKind::Dead) => {
            let kind = TroubleKind::Dead;
            let _ = TROUBLE.try_with(|cell| cell.set(Trouble { kind, after: 0 }));
            std::future::pending().await
        }
    }
}

/// A context that can be out of reach.
pub(crate) struct Reachable<T> {
    pub(crate) inner: T,
    /// Refresh tokens issued up to here are dead.
    refresh_dead_until: Mutex<Option<SystemTime>>,
    renews_life: AtomicBool,
}

impl<T> Reachable<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            refresh_dead_until: Mutex::new(None),
            renews_life: AtomicBool::new(false),
        }
    }

    pub(crate) fn kill_refresh_tokens(&self, issued_until: SystemTime) {
        *lock(&self.refresh_dead_until) = Some(issued_until);
    }

    /// From here on each refresh token lives as long as its predecessor was to, from its own
    /// beginning.
    pub(crate) fn renew_life_of_refresh_tokens(&self) {
        self.renews_life.store(true, Ordering::Relaxed);
    }

    fn is_dead(&self, record: &RefreshTokenRecord) -> bool {
        lock(&self.refresh_dead_until).is_some_and(|until| record.issued_at <= until)
    }
}

impl<T> fmt::Debug for Reachable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reachable").finish_non_exhaustive()
    }
}

#[async_trait]
impl<T: Clients> Clients for Reachable<T> {
    async fn get(&self, client_id: &str) -> Result<Option<oauth_server::Client>, ContextError> {
        reachable().await?;
        self.inner.get(client_id).await
    }
}

#[async_trait]
impl<T: AccessTokens> AccessTokens for Reachable<T> {
    async fn insert(
        &self,
        access: &AccessTokenRecord,
        refresh: Option<&RefreshTokenRecord>,
    ) -> Result<(), ContextError> {
        reachable().await?;
        self.inner.insert(access, refresh).await
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AccessTokenRecord>, ContextError> {
        reachable().await?;
        self.inner.get(hash).await
    }

    async fn get_refresh(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        reachable().await?;
        let record = self.inner.get_refresh(hash).await?;
        Ok(record.filter(|record| !self.is_dead(record)))
    }

    async fn rotate(
        &self,
        used: &RefreshTokenRecord,
        access: &AccessTokenRecord,
        successor: Option<&RefreshTokenRecord>,
    ) -> Result<Rotation, ContextError> {
        // Killed between the look and the exchange.
        let Some(known) = self.get_refresh(&used.hash).await? else {
            return Ok(Rotation::Gone);
        };
        let mut successor = successor.cloned();
        if let Some(successor) = &mut successor
            && self.renews_life.load(Ordering::Relaxed)
            && let Ok(life) = known.expires_at.duration_since(known.issued_at)
        {
            successor.expires_at = successor.issued_at + life;
            successor.grant_expires_at = successor.expires_at;
        }
        self.inner.rotate(used, access, successor.as_ref()).await
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<(), ContextError> {
        reachable().await?;
        self.inner.revoke(hash).await
    }

    async fn revoke_grant(&self, grant: &GrantId, until: SystemTime) -> Result<(), ContextError> {
        reachable().await?;
        self.inner.revoke_grant(grant, until).await
    }

    async fn revoke_access_tokens(&self, client_id: Option<&str>) -> Result<usize, ContextError> {
        reachable().await?;
        self.inner.revoke_access_tokens(client_id).await
    }

    async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
        until: SystemTime,
    ) -> Result<usize, ContextError> {
        reachable().await?;
        self.inner.revoke_grants(client_id, subject, until).await
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        reachable().await?;
        self.inner.purge(now, limit).await
    }
}

#[async_trait]
impl<T: AuthorizationCodes> AuthorizationCodes for Reachable<T> {
    async fn insert(
        &self,
        record: AuthorizationCodeRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        reachable().await?;
        self.inner.insert(record, now).await
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AuthorizationCodeRecord>, ContextError> {
        reachable().await?;
        self.inner.get(hash).await
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        reachable().await?;
        self.inner.consume(hash).await
    }

    async fn release(&self, hash: &TokenHash) -> Result<(), ContextError> {
        reachable().await?;
        self.inner.release(hash).await
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        reachable().await?;
        self.inner.revoke(client_id, subject).await
    }
}

#[async_trait]
impl<T: DeviceCodes> DeviceCodes for Reachable<T> {
    async fn insert(
        &self,
        record: DeviceCodeRecord,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        reachable().await?;
        self.inner.insert(record, now).await
    }

    async fn find(&self, user_code: &TokenHash) -> Result<Option<DeviceCodeRecord>, ContextError> {
        reachable().await?;
        self.inner.find(user_code).await
    }

    async fn update(
        &self,
        device_code: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut DeviceCodeRecord) + Send),
    ) -> Result<bool, ContextError> {
        reachable().await?;
        self.inner.update(device_code, change).await
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        reachable().await?;
        self.inner.revoke(client_id, subject).await
    }
}

#[async_trait]
impl<T: ResourceOwners> ResourceOwners for Reachable<T> {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<String>, ContextError> {
        reachable().await?;
        self.inner.authenticate(username, password).await
    }

    async fn is_active(&self, subject: &str) -> Result<bool, ContextError> {
        reachable().await?;
        self.inner.is_active(subject).await
    }

    async fn claims(
        &self,
        subject: &str,
        scope: &Scope,
    ) -> Result<Map<String, Value>, ContextError> {
        reachable().await?;
        self.inner.claims(subject, scope).await
    }
}

#[async_trait]
impl<T: JwtIds> JwtIds for Reachable<T> {
    async fn consume(
        &self,
        client_id: &str,
        id: &TokenHash,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        reachable().await?;
        self.inner.consume(client_id, id, until, now).await
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        reachable().await?;
        self.inner.purge(now, limit).await
    }
}
