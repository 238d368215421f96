//! Who may send what a flight is to send: alone for that token set in this process and, with a store,
//! among all that share it, and as one of so many requests at once.

use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::{
    renewal::{Flight, Plan},
    shared::{FlightKey, Shared},
};
use crate::{
    Error,
    store::{Lease, Owner, StoreError, StoreErrorKind, TokenRequest},
};

/// What a flight needs to be alone for, in this process and among all that share a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    purpose: &'static str,
    of: FlightKey,
}

/// The right to send a request.
pub(crate) struct Right<'a> {
    /// None when there is no store, or none that answers.
    pub(crate) lease: Option<Lease>,
    /// Before the lease was taken, by the monotonic clock.
    taken: Duration,
    pub(crate) permit: Option<SemaphorePermit<'a>>,
}

impl Flight {
    /// Whose turn it takes to do what is planned: that of the token set whose refresh token is
    /// spent, so that the others of its owner need not wait, or that of what is asked for.
    pub(crate) fn turn(&self, plan: &Plan) -> Option<Turn> {
        let (purpose, request) = match plan {
            Plan::Adopt(_) => return None,
            Plan::Refresh { base, .. } => ("refresh", base),
            Plan::Ask => ("ask", &self.key.request),
        };
        let (owner, request) = (self.key.owner.clone(), request.clone());
        Some(Turn {
            purpose,
            of: FlightKey { owner, request },
        })
    }

    /// Waits until there is room for a request and the lease is ours; `None` when whoever had the
    /// lease has brought what this flight is for. Room comes first, and is given up while the lease
    /// is another's: a lease that somebody waits with keeps everybody from refreshing, and runs out.
    pub(crate) async fn right(&self, turn: &Turn) -> Result<Option<Right<'_>>, Error> {
        let Shared { store, permits, .. } = &*self.shared;
        let name = lease_name(&self.owner(), &turn.of.request, turn.purpose);
        let ttl = self.shared.policy.lease();
        let mut wait = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        loop {
            let permit = permits.acquire().await.ok();
            let taken = self.shared.clock.monotonic();
            let ours = |lease| Right {
                lease,
                taken,
                permit,
            };
            let Some(store) = store else {
                return Ok(Some(ours(None)));
            };
            match store.lease(&name, ttl).await {
                Ok(Some(lease)) => return Ok(Some(ours(Some(lease)))),
                Ok(None) => drop(ours),
                // Without the store nobody can be kept out; a save will tell.
                Err(error) => {
                    tracing::warn!(%error, "the token store gives no lease");
                    return Ok(Some(ours(None)));
                }
            }
            if waited > ttl.saturating_mul(2) {
                return Err(Error::store(StoreError::new(
                    StoreErrorKind::Unavailable,
                    "another process has kept the lease for longer than it may; try again",
                )));
            }
            let pause = wait.mul_f64(0.5 + self.shared.fraction() / 2.0);
            self.shared.clock.sleep(pause).await;
            waited = waited.saturating_add(pause);
            wait = wait.saturating_mul(2).min(Duration::from_millis(250));
            let known = self.shared.known(&self.registration, &self.key.owner).await;
            if matches!(self.plan(&known), Plan::Adopt(_)) {
                return Ok(None);
            }
        }
    }

    /// For how long tries may be begun, so that the last one ends before the lease does; `None`
    /// without a lease, and with one that is shorter than a request may take anyway.
    pub(crate) fn spare(&self, right: &Right<'_>) -> Option<Duration> {
        right.lease.as_ref()?;
        let ttl = self.shared.policy.lease();
        let spare = ttl.checked_sub(self.registration.client().limits().total)?;
        let passed = self.shared.clock.monotonic().saturating_sub(right.taken);
        Some(spare.saturating_sub(passed))
    }
}

/// A name of fixed length that says nothing of the owner.
fn lease_name(owner: &Owner, request: &TokenRequest, purpose: &str) -> String {
    let mut hash = hmac_sha256::Hash::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(owner.issuer());
    add(owner.client_id());
    add(owner.subject().user_id().map_or("client", |_| "user"));
    add(owner.subject().user_id().unwrap_or_default());
    match request.requested_scopes() {
        Some(scopes) => add(&format!("scopes {scopes}")),
        None => add("any"),
    }
    for (name, value) in request.params() {
        add(name);
        add(value);
    }
    let digest = hash.finalize();
    let hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{purpose}:{hex}")
}
