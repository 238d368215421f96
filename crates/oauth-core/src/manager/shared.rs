//! What all clones of a manager share.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use tokio::sync::Semaphore;

use super::{
    builder::Settings,
    claims::ClaimsAsked,
    event::{Event, Listeners},
    failures::Failures,
    flight::{Flights, Pilot, Waiter},
    handle::Hot,
    introspection::{Digest, Introspections},
    kept::Kept,
    locks::Locks,
    policy::RefreshPolicy,
    registration::{Registration, Registrations},
    renewal,
    room::{Expiring, make_room},
    source::TokenSource,
    table::{Key, Table, Wanted},
    timeline::{Moment, Timeline},
    turn::Turn,
    unsaved::Unsaved,
};
use crate::{
    AccessToken, Client, Error,
    clock::Clock,
    random::{self, Random},
    spans,
    store::{Record, Subject, TokenRequest, TokenStore, Version},
};

/// Owner and request: what a flight is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FlightKey {
    pub(crate) owner: Key,
    pub(crate) request: TokenRequest,
}

pub(crate) type Landing = Result<Arc<Kept>, Error>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) table: Table,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    pub(crate) timeline: Timeline,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) policy: RefreshPolicy,
    pub(crate) flights: Flights<FlightKey, Landing>,
    pub(crate) failures: Failures<FlightKey>,
    /// One at a time spends an owner's refresh token, or asks with a client's name for one request.
    pub(crate) turns: Locks<Turn>,
    /// Without a store: held for a change of the memory, from the look at it to the end.
    pub(crate) memory: Mutex<()>,
    /// One at a time writes an owner's record.
    pub(crate) commits: Locks<Key>,
    /// Held by all who write a record, and alone by whoever removes every one. Comes first.
    pub(crate) records: tokio::sync::RwLock<()>,
    pub(crate) permits: Semaphore,
    pub(crate) unsaved: Unsaved,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) introspections: Introspections,
    pub(crate) claims: ClaimsAsked,
    /// Tokens that an API refused although they were new.
    pub(crate) refused: Expiring<Digest, ()>,
    pub(crate) settings: Settings,
    pub(super) registrations: RwLock<Registrations>,
    hot: Mutex<HashMap<Key, Vec<std::sync::Weak<Hot>>>>,
    /// Random for this process: what spreads renewals out.
    draw: u64,
    pub(crate) chores: super::background::Chores,
}

impl Shared {
    pub(crate) fn new(client: &Client, settings: Settings) -> Self {
        let clock = Arc::clone(client.clock());
        let random = Arc::clone(client.random());
        let mut draw = [0; 8];
        // Without randomness all processes renew at the same moment, no worse.
        let _ = random.fill(&mut draw);
        Self {
            table: Table::new(),
            store: settings.store.clone().map(spans::store),
            timeline: Timeline::new(Arc::clone(&clock)),
            clock,
            random,
            flights: Flights::new(),
            failures: Failures::default(),
            turns: Locks::default(),
            memory: Mutex::default(),
            commits: Locks::default(),
            records: tokio::sync::RwLock::default(),
            permits: Semaphore::new(settings.policy.concurrency()),
            policy: settings.policy.clone(),
            unsaved: Unsaved::default(),
            listeners: Arc::clone(&settings.listeners),
            introspections: Introspections::default(),
            claims: ClaimsAsked::default(),
            refused: Expiring::default(),
            registrations: RwLock::default(),
            hot: Mutex::default(),
            draw: u64::from_le_bytes(draw),
            chores: super::background::Chores::default(),
            settings,
        }
    }

    pub(crate) fn register(
        &self,
        client: Client,
        source: Arc<dyn TokenSource>,
    ) -> Arc<Registration> {
        let mut registrations = self
            .registrations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        registrations.add(client, source, || {
            let unsaved = self.unsaved.keys().into_iter().map(|key| key.registration);
            let mut held = self.table.registrations();
            held.extend(unsaved);
            held
        })
    }

    pub(crate) fn registration(&self, key: &Key) -> Option<Arc<Registration>> {
        self.registrations().get(key)
    }

    pub(crate) fn registrations(&self) -> RwLockReadGuard<'_, Registrations> {
        self.registrations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that needs no renewing yet.
    #[inline]
    pub(crate) fn fresh(
        &self,
        registration: u32,
        subject: &Subject,
        wanted: Wanted<'_>,
    ) -> Option<Arc<Kept>> {
        let now = self.timeline.now();
        let kept = self.table.find(registration, subject, wanted, now)?;
        (now < self.advisory_at(&kept)).then_some(kept)
    }

    pub(crate) fn find(&self, key: &FlightKey) -> Option<Arc<Kept>> {
        let wanted = Wanted::of(&key.request, self.policy.accepts_superset());
        let now = self.timeline.now();
        self.table
            .find(key.owner.registration, &key.owner.subject, wanted, now)
    }

    #[inline]
    pub(crate) fn advisory_at(&self, kept: &Kept) -> Moment {
        let draw = self.draw
            ^ kept
                .end()
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(20);
        self.policy.advisory_at(kept.end(), kept.lifetime(), draw)
    }

    #[inline]
    pub(crate) fn mandatory_at(&self, kept: &Kept) -> Moment {
        self.policy.mandatory_at(kept.end(), kept.lifetime())
    }

    pub(crate) fn fraction(&self) -> f64 {
        random::fraction(&*self.random)
    }

    /// Keeps it in mind when `result` is a failure, so that not everybody meets it anew.
    pub(crate) fn noting<K: Hash + Eq + Clone, T>(
        &self,
        failures: &Failures<K>,
        key: &K,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        match &result {
            Ok(_) => failures.forget(key),
            Err(error) if self.policy.remembers_failures() => {
                let (now, fraction) = (self.timeline.now(), self.fraction());
                failures.remember(key, error, &self.policy, now, fraction);
            }
            Err(_) => {}
        }
        result
    }

    /// Lets one flight replace what is still good, or read what is not in memory; its end, when it
    /// is a new one.
    pub(crate) fn renew_in_background(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &FlightKey,
        replaces: Option<Arc<Kept>>,
    ) -> Option<Waiter<Landing>> {
        if self.flights.is_flying(key) || self.failures.get(key, self.timeline.now()).is_some() {
            return None;
        }
        let (waiter, pilot) = self.flights.join(key);
        let replaces = replaces.map(|kept| kept.access_token());
        // Without a runtime nothing runs in the background; the token is still good.
        self.launch(registration, key, pilot?, replaces).ok()?;
        Some(waiter)
    }

    /// One that can still be used, waiting for a flight if need be.
    pub(crate) async fn usable(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &FlightKey,
    ) -> Landing {
        let found = self.find(key);
        let now = self.timeline.now();
        if let Some(kept) = &found
            && now < self.mandatory_at(kept)
        {
            if now >= self.advisory_at(kept) {
                self.renew_in_background(registration, key, found.clone());
            }
            return Ok(Arc::clone(kept));
        }
        self.renewed(registration, key, found, None).await
    }

    /// Waits for the flight that renews `found`, or that brings another than `replaces`, which is
    /// not handed out however valid it looks.
    pub(crate) async fn renewed(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &FlightKey,
        found: Option<Arc<Kept>>,
        replaces: Option<AccessToken>,
    ) -> Landing {
        let is_old = |kept: &Kept| {
            let access = kept.access_token();
            replaces.as_ref().is_some_and(|old| *old == access)
        };
        let alive = |error: Error| match &found {
            Some(kept) if !is_old(kept) && self.timeline.now() < kept.end() => Ok(Arc::clone(kept)),
            _ => Err(error),
        };
        for _ in 0..3 {
            if let Some(error) = self.failures.get(key, self.timeline.now()) {
                return alive(error);
            }
            let (waiter, ours) = self.board(registration, key, &replaces)?;
            match waiter.wait().await {
                Ok(Ok(kept)) if is_old(&kept) => {
                    if ours {
                        return Err(Error::protocol(
                            "the server answered with the very token that was to be replaced",
                        ));
                    }
                    // A flight that set out before the token was rejected may have brought it.
                }
                Ok(Ok(kept)) => return Ok(kept),
                Ok(Err(error)) => return alive(error),
                Err(_) => {}
            }
        }
        alive(Error::lost())
    }

    /// Joins the flight of `key`, launching one when there is none; whether it did.
    fn board(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &FlightKey,
        replaces: &Option<AccessToken>,
    ) -> Result<(Waiter<Landing>, bool), Error> {
        let (waiter, pilot) = self.flights.join(key);
        let ours = pilot.is_some();
        if let Some(pilot) = pilot {
            self.launch(registration, key, pilot, replaces.clone())?;
        }
        Ok((waiter, ours))
    }

    fn launch(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &FlightKey,
        pilot: Pilot<FlightKey, Landing>,
        replaces: Option<AccessToken>,
    ) -> Result<(), Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            Error::usage("a token is renewed in a task of its own: call this inside a tokio runtime, or use the blocking face")
        })?;
        let flight = renewal::Flight::new(self, registration, key, pilot, replaces);
        runtime.spawn(spans::renewal(registration.issuer(), flight.fly()));
        self.chores.start(self, &runtime);
        Ok(())
    }

    /// Shows a record that has been stored, or for which there is no store, to everybody.
    pub(crate) fn publish(&self, key: &Key, record: &Record, version: Option<Version>) {
        self.table.put(key, record, version, &self.timeline);
        self.cool(key);
    }

    /// Makes the handles of an owner look again.
    pub(crate) fn cool(&self, key: &Key) {
        let mut hot = self.hot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handles) = hot.get_mut(key) {
            handles.retain(|handle| handle.upgrade().map(|hot| hot.cool()).is_some());
            if handles.is_empty() {
                hot.remove(key);
            }
        }
    }

    pub(crate) fn cool_all(&self) {
        let hot = self.hot.lock().unwrap_or_else(PoisonError::into_inner);
        for handle in hot.values().flatten().filter_map(std::sync::Weak::upgrade) {
            handle.cool();
        }
    }

    /// The cell of a request, shared by all handles of it.
    pub(crate) fn hot(&self, key: &FlightKey) -> Arc<Hot> {
        let mut hot = self.hot.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut hot, |_, handles| {
            handles.iter().any(|handle| handle.strong_count() > 0)
        });
        let handles = hot.entry(key.owner.clone()).or_default();
        handles.retain(|handle| handle.strong_count() > 0);
        let have = handles
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .find(|hot| hot.key() == key);
        have.unwrap_or_else(|| {
            let cell = Arc::new(Hot::new(key.clone()));
            handles.push(Arc::downgrade(&cell));
            cell
        })
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.listeners.tell(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoints, GenericProvider};

    #[test]
    fn handles_that_are_gone_leave_nothing_behind() {
        let endpoints = Endpoints::new("https://id.example.com/token").expect("an https URL");
        let client = Client::builder(GenericProvider::new(endpoints), "id").build();
        let tokens = super::super::TokenManager::new(client.expect("all it needs"));
        for user in 0..100_000_u32 {
            drop(tokens.source(&Subject::user(user.to_string()), None));
        }
        let hot = tokens.shared.hot.lock().expect("nobody panicked");
        assert!(hot.capacity() < 1000, "{}", hot.capacity());
    }
}
