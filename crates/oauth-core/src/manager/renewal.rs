//! What a flight does: look again, refresh or ask, store, then show.

use std::{sync::Arc, time::Duration};

use super::{
    event::Event,
    flight::Pilot,
    kept::Kept,
    registration::Registration,
    shared::{FlightKey, Landing, Shared},
    source::exchange_within,
    turn::{Right, Turn},
    unsaved::Outcome,
    update::{Update, seconds},
};
use crate::{
    AccessToken, Capability, Error, RefreshToken, Scopes, Token, TokenSet, grant,
    store::{Issued, Lease, Record, StoreError, TokenRequest, Version},
};

pub(crate) struct Flight {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) key: FlightKey,
    pilot: Pilot<FlightKey, Landing>,
    /// The token that is to be replaced although it looks valid.
    replaces: Option<AccessToken>,
}

/// What is known of an owner at the moment.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) record: Record,
    pub(crate) version: Option<Version>,
    /// Why the store could not be asked.
    pub(crate) failure: Option<StoreError>,
}

/// How a token can be had.
pub(crate) enum Plan {
    Adopt(Issued),
    Refresh {
        base: TokenRequest,
        token: TokenSet,
        spent: RefreshToken,
    },
    Ask,
}

/// What came of one attempt.
enum Attempt {
    Done(Arc<Kept>),
    /// Somebody else was faster, or something died: look again.
    Again,
    /// The lease came too late for anything to be sent: look again.
    Late,
    /// Its owner was cleared before anything was sent, and has a refresh token of a later login.
    Cleared,
}

/// How often a flight looks again before it gives up.
const ATTEMPTS: usize = 4;

impl Flight {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        registration: &Arc<Registration>,
        key: &FlightKey,
        pilot: Pilot<FlightKey, Landing>,
        replaces: Option<AccessToken>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            registration: Arc::clone(registration),
            key: key.clone(),
            pilot,
            replaces,
        }
    }

    pub(crate) async fn fly(self) {
        // A refresh token that came with a failure is stored by now. Listeners and waiters get none.
        let Some(result) = self.run().await else {
            // Whoever waits looks again.
            return;
        };
        let result = result.map_err(|error| error.with_refresh_token(None));
        let shared = &self.shared;
        let news = result.as_ref().ok().map(|kept| kept.issued().token);
        match &result {
            Ok(_) => shared.failures.forget(&self.key),
            Err(error) => {
                let now = shared.timeline.now();
                let fraction = shared.fraction();
                let alive = shared.find(&self.key).is_some_and(|kept| now < kept.end());
                // That there is nothing to renew with is known at once, and not worth remembering
                // unless the old token would have everybody ask again.
                let asked = error.endpoint().is_some() || !error.needs_reauthorization();
                let remember = alive || (asked && shared.policy.remembers_failures());
                if remember && !self.pilot.is_cleared() {
                    shared
                        .failures
                        .remember(&self.key, error, &shared.policy, now, fraction);
                }
                if asked {
                    shared.tell(&Event::RefreshFailed {
                        owner: self.owner(),
                        error: error.clone(),
                    });
                }
            }
        }
        self.pilot.land(result);
        shared.tidy();
        // Nobody waits for what follows.
        if let Some(token) = news {
            let manager = super::TokenManager {
                shared: self.shared,
                registration: self.registration,
            };
            manager.note_end(&self.key.owner, &token).await;
            #[cfg(feature = "openid")]
            manager.note_id_token(&self.key.owner, &token).await;
        }
    }

    /// `None` when it may not do what there is to be done now.
    async fn run(&self) -> Option<Landing> {
        // Another flight may have landed between the caller's look and this one's start.
        if let Some(kept) = self
            .shared
            .find(&self.key)
            .filter(|kept| self.will_do(kept))
        {
            return Some(Ok(kept));
        }
        for _ in 0..ATTEMPTS {
            let known = self.shared.known(&self.registration, &self.key.owner).await;
            let attempt = match self.turn(&self.plan(&known)) {
                None => Ok(self.adopt().await),
                Some(turn) => self.in_turn(&turn).await,
            };
            match attempt {
                Ok(Attempt::Done(kept)) => return Some(Ok(kept)),
                Ok(Attempt::Again | Attempt::Late) => {}
                Ok(Attempt::Cleared) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Err(Error::server(
            "the token kept changing while it was renewed; ask again",
        )))
    }

    /// Alone in this process and, with a store, among all that share it.
    async fn in_turn(&self, turn: &Turn) -> Result<Attempt, Error> {
        let _turn = self.shared.turns.lock(turn).await;
        let Some(mut right) = self.right(turn).await? else {
            return Ok(Attempt::Again);
        };
        let result = self.act(turn, &mut right).await;
        if let Some(lease) = right.lease {
            // Until an answer of the server's has said whether the refresh token is still good, the
            // next one has to know that a process died.
            // A process that died before its owner was cleared (`Cleared`) has lost nothing that counts.
            let unsettled = match &result {
                Ok(attempt) => matches!(attempt, Attempt::Late),
                Err(error) => !error.needs_reauthorization(),
            };
            let abandoned = lease.was_abandoned() && unsettled;
            self.shared.release(lease.with_abandoned(abandoned)).await;
        }
        result
    }

    /// Looks again, now that nobody else acts, and does what is to be done.
    async fn act(&self, turn: &Turn, right: &mut Right<'_>) -> Result<Attempt, Error> {
        let known = self.shared.known(&self.registration, &self.key.owner).await;
        let plan = self.plan(&known);
        match (self.turn(&plan), plan) {
            // What is to be done now is another's turn.
            (Some(now), _) if now != *turn => Ok(Attempt::Again),
            (_, Plan::Adopt(_)) => Ok(self.adopt().await),
            // What would come of it would be thrown away with this flight.
            (_, Plan::Refresh { .. }) if self.pilot.is_cleared() => Ok(Attempt::Cleared),
            (_, Plan::Refresh { base, token, spent }) => {
                self.refresh(known, right, base, &token, spent).await
            }
            (_, Plan::Ask) => self.ask(known, right).await,
        }
    }

    pub(crate) fn plan(&self, known: &Known) -> Plan {
        let wall = self.shared.clock.now();
        let request = &self.key.request;
        let record = &known.record;
        // As a look-up does it: an exact one that lives before any other.
        let is_exact = |have: &&Issued| {
            let any = request.is_plain() && request.requested_scopes().is_none();
            !any && have.request == *request && !have.token.is_expired(wall)
        };
        let exact = record.tokens().iter().find(is_exact).or_else(|| {
            let fitting = record.tokens().iter().filter(|have| self.fits(have));
            fitting.max_by_key(|have| have.token.expires_at().map_or(u64::MAX, seconds))
        });
        if let Some(issued) = exact
            && self.will_do(&self.kept(issued))
        {
            return Plan::Adopt(issued.clone());
        }
        let spendable = |have: &&Issued| {
            have.token.refresh_token().is_some()
                && have.token.refresh_expires_at().is_none_or(|end| wall < end)
        };
        let covers = |have: &&Issued| {
            have.request.is_plain()
                && match request.requested_scopes() {
                    None => true,
                    Some(asked) => self.can_narrow() && within(asked, have),
                }
        };
        let mut candidates = record.tokens().iter().filter(spendable);
        let base = candidates
            .clone()
            .find(|have| have.request == *request)
            .or_else(|| {
                candidates
                    .by_ref()
                    .filter(covers)
                    .max_by_key(|have| have.token.issued_at())
            });
        match base.and_then(|base| Some((base, base.token.refresh_token()?.clone()))) {
            Some((base, spent)) => Plan::Refresh {
                base: base.request.clone(),
                token: base.token.clone(),
                spent,
            },
            None => Plan::Ask,
        }
    }

    fn can_narrow(&self) -> bool {
        let can = self.registration.client().provider().capabilities();
        can.contains(Capability::ScopeOnRefresh)
    }

    /// Whether there is a refresh token that would do, had the provider a way to say for what.
    fn is_too_narrow(&self, known: &Known) -> bool {
        let asked = self.key.request.requested_scopes();
        let would_do = |have: &Issued| {
            have.token.refresh_token().is_some() && asked.is_some_and(|asked| within(asked, have))
        };
        !self.can_narrow() && known.record.tokens().iter().any(would_do)
    }

    /// Whether a token set in a record answers this flight's request.
    fn fits(&self, have: &Issued) -> bool {
        let request = &self.key.request;
        have.request == *request
            || have.request.is_plain()
                && request.is_plain()
                && match request.requested_scopes() {
                    None => true,
                    Some(asked) => {
                        self.shared.policy.accepts_superset()
                            && asked.is_subset(have.token.scopes())
                    }
                }
    }

    /// Whether a token is one to hand out, and not the one that is to be replaced.
    fn will_do(&self, kept: &Kept) -> bool {
        let other = self
            .replaces
            .as_ref()
            .is_none_or(|old| *old != kept.access_token());
        other && self.shared.timeline.now() < self.shared.mandatory_at(kept)
    }

    /// Takes over what another process has stored.
    async fn adopt(&self) -> Attempt {
        let shared = &self.shared;
        let _commit = shared.commit(&self.key.owner).await;
        // Read again: it may have been invalidated before the lock was ours.
        let known = shared.known(&self.registration, &self.key.owner).await;
        // Without a store it came from there.
        let stored = shared.store.is_some() && known.failure.is_none();
        if stored && !self.pilot.is_cleared() {
            shared.publish(&self.key.owner, &known.record, known.version);
        }
        match self.plan(&known) {
            Plan::Adopt(issued) => Attempt::Done(self.kept(&issued)),
            _ => Attempt::Again,
        }
    }

    async fn refresh(
        &self,
        known: Known,
        right: &mut Right<'_>,
        base: TokenRequest,
        token: &TokenSet,
        spent: RefreshToken,
    ) -> Result<Attempt, Error> {
        // Asked for any, the token set that is refreshed is the one that is replaced.
        let request = match self.key.request.requested_scopes() {
            None if self.key.request.is_plain() => base.clone(),
            _ => self.key.request.clone(),
        };
        let mut grant = grant::RefreshToken::new(spent.clone());
        if !token.scopes().is_empty() {
            grant = grant.with_granted_scopes(token.scopes().clone());
        }
        if request != base
            && let Some(scopes) = request.requested_scopes()
        {
            grant = grant.with_scopes(scopes.clone());
        }
        let client = self.registration.client();
        // Nothing may reach the server after the lease has run out: somebody else may have spent
        // the refresh token by then.
        let retry = match self.spare(right) {
            Some(Duration::ZERO) => return Ok(Attempt::Late),
            Some(spare) => client.retry_policy().clone().within(spare),
            None => client.retry_policy().clone(),
        };
        let answer = exchange_within(client, &grant, &self.key.request, retry).await;
        right.permit = None;
        let lease = right.lease.as_ref();
        let before = token.access_token().clone();
        match answer {
            Ok(token) => {
                let rotated = token.refresh_token() != Some(&spent);
                let update = Update::Refreshed {
                    base,
                    before,
                    spent,
                    request: request.clone(),
                    token,
                };
                let kept = self.keep(known, &update, &request, lease).await;
                if let Attempt::Done(kept) = &kept {
                    self.tell_refreshed(kept, rotated);
                }
                Ok(kept)
            }
            Err(error) => {
                if let Some(refresh_token) = error.refresh_token().cloned() {
                    let update = Update::Rotated {
                        spent,
                        refresh_token,
                    };
                    let _ = self.write(known, &update, lease).await;
                    self.shared.tell(&Event::Rotated {
                        owner: self.owner(),
                    });
                    return Err(error);
                }
                let provider = self.registration.client().provider();
                if provider.ends_refresh_token(&error) {
                    let error = error.with_interrupted(lease.is_some_and(Lease::was_abandoned));
                    return self.bury(known, spent, lease, error).await;
                }
                Err(error)
            }
        }
    }

    /// Drops a refresh token that the server has refused, unless the store has a newer one.
    async fn bury(
        &self,
        known: Known,
        spent: RefreshToken,
        lease: Option<&Lease>,
        error: Error,
    ) -> Result<Attempt, Error> {
        let fresh = self.shared.known(&self.registration, &self.key.owner).await;
        let known = if fresh.failure.is_some() {
            known
        } else {
            fresh
        };
        let now = self.shared.clock.now();
        let update = Update::Buried { spent, now };
        match self.write(known, &update, lease).await {
            Outcome::Superseded => Ok(Attempt::Again),
            _ => {
                // A client can ask anew by itself; a user has to come back.
                let permit = self.shared.permits.acquire().await;
                let first = self.first().await;
                drop(permit);
                if let Some(token) = first? {
                    return Ok(self.granted(Known::default(), None, token).await);
                }
                self.shared.tell(&Event::ReauthorizationRequired {
                    owner: self.owner(),
                    interrupted: error.is_interrupted(),
                });
                Err(error)
            }
        }
    }

    async fn ask(&self, known: Known, right: &mut Right<'_>) -> Result<Attempt, Error> {
        let first = self.first().await;
        right.permit = None;
        match first? {
            Some(token) => Ok(self.granted(known, right.lease.as_ref(), token).await),
            // What is in the store is not known: that is no reason to send a user to log in.
            None => Err(match known.failure {
                Some(failure) => Error::store(failure),
                None if self.is_too_narrow(&known) => Error::usage(
                    "this provider cannot narrow scopes on refresh; ask for the scopes that were granted, or for any",
                ),
                None => Error::reauthorization_needed(
                    "there is no valid token and nothing to renew it with; authorize again",
                ),
            }),
        }
    }

    /// A token from the source, by whoever has a permit.
    async fn first(&self) -> Result<Option<TokenSet>, Error> {
        let (registration, key) = (&self.registration, &self.key);
        let source = registration.source();
        source
            .token(registration.client(), &key.owner.subject, &key.request)
            .await
    }

    async fn granted(&self, known: Known, lease: Option<&Lease>, token: TokenSet) -> Attempt {
        let request = self.key.request.clone();
        let update = Update::Granted {
            request: request.clone(),
            token,
        };
        let kept = self.keep(known, &update, &request, lease).await;
        if let Attempt::Done(kept) = &kept {
            let issued = kept.issued();
            self.shared.tell(&Event::Granted {
                owner: self.owner(),
                scopes: issued.token.scopes().clone(),
                expires_at: issued.token.expires_at(),
            });
        }
        kept
    }

    /// Stores the answer and shows it; then, and only then, it is handed out.
    async fn keep(
        &self,
        known: Known,
        update: &Update,
        request: &TokenRequest,
        lease: Option<&Lease>,
    ) -> Attempt {
        let (Update::Granted { token, .. } | Update::Refreshed { token, .. }) = update else {
            return Attempt::Again;
        };
        let issued = Issued::new(request.clone(), token.clone());
        match self.write(known, update, lease).await {
            // Another process has refreshed since: its token is the newer one.
            Outcome::Superseded => Attempt::Again,
            Outcome::Kept | Outcome::Discarded => Attempt::Done(self.kept(&issued)),
        }
    }

    async fn write(&self, known: Known, update: &Update, lease: Option<&Lease>) -> Outcome {
        let cleared = || self.pilot.is_cleared();
        self.shared
            .write(
                &self.registration,
                &self.key.owner,
                known,
                update,
                lease,
                &cleared,
            )
            .await
    }

    fn kept(&self, issued: &Issued) -> Arc<Kept> {
        // The one in memory if it is the same, so that it is held once.
        let shared = &self.shared;
        let new = shared.table.kept(&self.key.owner, issued, &shared.timeline);
        match self.shared.find(&self.key) {
            Some(kept) if kept.access() == new.access() => kept,
            _ => Arc::new(new),
        }
    }

    fn tell_refreshed(&self, kept: &Kept, rotated: bool) {
        let owner = self.owner();
        if rotated {
            self.shared.tell(&Event::Rotated {
                owner: owner.clone(),
            });
        }
        let issued = kept.issued();
        self.shared.tell(&Event::Refreshed {
            owner,
            scopes: issued.token.scopes().clone(),
            expires_at: issued.token.expires_at(),
        });
    }

    pub(crate) fn owner(&self) -> crate::store::Owner {
        self.registration.owner(&self.key.owner.subject)
    }
}

/// Whether `asked` is part of what was granted; what that is may not be known.
fn within(asked: &Scopes, have: &Issued) -> bool {
    let granted = have.token.scopes();
    granted.is_empty() || asked.is_subset(granted)
}
