//! Writing a record, and what becomes of a write that fails: it stays in memory, is handed out, and
//! is written again until it is stored or replaced.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use super::{
    event::Event, registration::Registration, renewal::Known, shared::Shared, table::Key,
    update::Update,
};
use crate::{
    Error,
    store::{Lease, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version},
};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored, or kept in memory until it can be.
    Kept,
    /// Somebody else has replaced what it was about; memory has what they stored.
    Superseded,
    /// The owner was cleared meanwhile; nothing was kept.
    Discarded,
}

/// The updates of owners whose records could not be stored.
#[derive(Debug, Default)]
pub(crate) struct Unsaved(Mutex<HashMap<Key, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    updates: Vec<Update>,
    /// Alive as long as the task that writes them.
    writer: Weak<()>,
}

/// Held by the task that writes the updates of an owner again.
type Writer = Arc<()>;

/// How often a write is made anew for a record that somebody else has changed.
const TRIES: usize = 8;

impl Unsaved {
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The place of the owner's writer, if it is free: there was none, or its runtime is gone.
    fn add(&self, key: &Key, update: Update) -> Option<Writer> {
        let mut unsaved = self.lock();
        let waiting = unsaved.entry(key.clone()).or_default();
        if let Update::Claims { source, .. } = &update {
            // What is asked again and again takes the place of what was said before.
            let same = |have: &Update| matches!(have, Update::Claims { source: have, .. } if have == source);
            waiting.updates.retain(|have| !same(have));
        }
        waiting.updates.push(update);
        if waiting.writer.strong_count() > 0 {
            return None;
        }
        let writer = Writer::default();
        waiting.writer = Arc::downgrade(&writer);
        Some(writer)
    }

    /// Whether `writer` still has something to write: not after a clear, say.
    fn is_writer(&self, key: &Key, writer: &Writer) -> bool {
        let unsaved = self.lock();
        let ours = |waiting: &Waiting| waiting.writer.as_ptr() == Arc::as_ptr(writer);
        unsaved.get(key).is_some_and(ours)
    }

    fn get(&self, key: &Key) -> Option<Vec<Update>> {
        let unsaved = self.lock();
        unsaved.get(key).map(|waiting| waiting.updates.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The right to change the record of an owner, in memory and store.
    pub(crate) async fn commit(&self, key: &Key) -> impl Send + use<'_> {
        let some = self.records.read().await;
        (some, self.commits.lock(key).await)
    }

    /// What is known of an owner: what is stored, unless memory is ahead of the store.
    pub(crate) async fn known(&self, registration: &Registration, key: &Key) -> Known {
        let memory = || {
            let (record, version) = self.table.record(key).unwrap_or_default();
            Known {
                record,
                version,
                failure: None,
            }
        };
        let Some(store) = &self.store else {
            return memory();
        };
        if self.unsaved.contains(key) {
            return memory();
        }
        match store.load(&registration.owner(&key.subject)).await {
            Ok(Some(Stored { record, version })) => Known {
                record,
                version: Some(version),
                failure: None,
            },
            Ok(None) => Known::default(),
            Err(error) => {
                tracing::warn!(%error, "the token store gives no record");
                Known {
                    failure: Some(error),
                    ..memory()
                }
            }
        }
    }

    /// Applies `update` to the record of an owner, stores it and shows it. `cleared` says whether
    /// the owner was cleared since whatever the update comes from began.
    pub(crate) async fn write(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &Key,
        known: Known,
        update: &Update,
        lease: Option<&Lease>,
        cleared: &(dyn Fn() -> bool + Sync),
    ) -> Outcome {
        let _commit = self.commit(key).await;
        self.write_alone(registration, key, known, update, lease, cleared)
            .await
    }

    /// As [`Shared::write`], by whoever holds [`Shared::commit`] of the owner.
    pub(crate) async fn write_alone(
        self: &Arc<Self>,
        registration: &Arc<Registration>,
        key: &Key,
        known: Known,
        update: &Update,
        lease: Option<&Lease>,
        cleared: &(dyn Fn() -> bool + Sync),
    ) -> Outcome {
        if cleared() {
            return Outcome::Discarded;
        }
        let Some(store) = self.store.clone() else {
            let _memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if cleared() {
                return Outcome::Discarded;
            }
            let (record, _) = self.table.record(key).unwrap_or_default();
            let Some(record) = update.apply(record) else {
                return Outcome::Superseded;
            };
            self.publish(key, &record, None);
            return Outcome::Kept;
        };
        // Memory was ahead when the lock came, or the store was down before it: what was known is
        // not the newest any more.
        let known = if self.unsaved.contains(key) || known.failure.is_some() {
            self.known(registration, key).await
        } else {
            known
        };
        let outcome = if self.unsaved.contains(key) || known.failure.is_some() {
            Err((known.record.clone(), known.version, known.failure))
        } else {
            self.save(&*store, registration, key, known, update, lease)
                .await
        };
        match outcome {
            Ok(Saved::As(record, version)) => {
                self.publish(key, &record, Some(version));
                Outcome::Kept
            }
            Ok(Saved::Not(known)) => {
                self.publish(key, &known.record, known.version);
                Outcome::Superseded
            }
            Ok(Saved::Removed) => {
                self.table.remove(key);
                self.cool(key);
                Outcome::Discarded
            }
            Err((record, version, failure)) => {
                let Some(record) = update.apply(record) else {
                    return Outcome::Superseded;
                };
                // In this order: from the first on nobody takes it out of memory.
                let writer = self.unsaved.add(key, update.clone());
                self.publish(key, &record, version);
                if update.carries_refresh_token() {
                    let behind = || {
                        let message = "what came before it has not been stored yet";
                        StoreError::new(StoreErrorKind::Unavailable, message)
                    };
                    self.tell(&Event::SaveFailed {
                        owner: registration.owner(&key.subject),
                        error: Error::store(failure.unwrap_or_else(behind)),
                    });
                }
                if let Some(writer) = writer {
                    self.write_again(registration, key, writer);
                }
                Outcome::Kept
            }
        }
    }

    /// Saves under the version the update was made from; when somebody else was faster, applies it
    /// to theirs.
    async fn save(
        &self,
        store: &dyn TokenStore,
        registration: &Registration,
        key: &Key,
        mut known: Known,
        update: &Update,
        lease: Option<&Lease>,
    ) -> Result<Saved, (Record, Option<Version>, Option<StoreError>)> {
        let owner = registration.owner(&key.subject);
        let mut lease = lease;
        let mut too_late = false;
        let mut conflict = None;
        for turn in 0..TRIES {
            if let Some(record) = update.apply(known.record.clone()) {
                let result = store.save(&owner, &record, known.version, lease).await;
                let error = match result {
                    Ok(version) => return Ok(Saved::As(record, version)),
                    Err(error) => error,
                };
                match error.kind() {
                    // Somebody else acts now. What they bring is newer than an access token of ours;
                    // a refresh token of ours is in nobody else's hands, and may be the only one.
                    StoreErrorKind::Fenced => {
                        lease = None;
                        too_late = !update.brings_refresh_token();
                    }
                    StoreErrorKind::Conflict => {}
                    _ => return Err((known.record, known.version, Some(error))),
                }
                conflict = Some(error);
            } else if turn > 0 {
                return Ok(Saved::Not(known));
            }
            // What was read before the lock was ours is not shown to anybody.
            let had = known.version;
            known = match store.load(&owner).await {
                Ok(Some(Stored { record, version })) => Known {
                    record,
                    version: Some(version),
                    failure: None,
                },
                // Somebody removed the owner: a late answer does not bring it back.
                Ok(None) if had.is_some() => return Ok(Saved::Removed),
                Ok(None) => Known::default(),
                Err(error) => return Err((known.record, known.version, Some(error))),
            };
            if too_late {
                return Ok(Saved::Not(known));
            }
        }
        Err((known.record, known.version, conflict))
    }

    fn write_again(self: &Arc<Self>, registration: &Arc<Registration>, key: &Key, writer: Writer) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        // Holds the manager's memory until the write is done, be that never: it is the only place
        // it is in.
        let (shared, registration, key) = (Arc::clone(self), Arc::clone(registration), key.clone());
        runtime.spawn(async move {
            let mut wait = Duration::from_millis(100);
            loop {
                let pause = wait.mul_f64(0.5 + shared.fraction() / 2.0);
                shared.clock.sleep(pause).await;
                let ours = shared.unsaved.is_writer(&key, &writer);
                if !ours || shared.write_unsaved(&registration, &key).await {
                    return;
                }
                wait = wait.saturating_mul(2).min(Duration::from_secs(30));
            }
        });
    }

    /// Tries to store what could not be stored; whether there is nothing left to do.
    pub(crate) async fn write_unsaved(&self, registration: &Registration, key: &Key) -> bool {
        let _commit = self.commit(key).await;
        let (Some(store), Some(updates)) = (&self.store, self.unsaved.get(key)) else {
            return true;
        };
        let owner = registration.owner(&key.subject);
        let mut known = match store.load(&owner).await {
            Ok(Some(Stored { record, version })) => Known {
                record,
                version: Some(version),
                failure: None,
            },
            Ok(None) => Known::default(),
            Err(_) => return false,
        };
        for update in &updates {
            if update.is_outdated(&known.record) {
                continue;
            }
            known = match self
                .save(&**store, registration, key, known, update, None)
                .await
            {
                Ok(Saved::As(record, version)) => Known {
                    record,
                    version: Some(version),
                    failure: None,
                },
                Ok(Saved::Not(known)) => known,
                Ok(Saved::Removed) => Known::default(),
                Err(_) => return false,
            };
        }
        self.unsaved.forget(key);
        self.publish(key, &known.record, known.version);
        true
    }
}

enum Saved {
    As(Record, Version),
    Not(Known),
    Removed,
}
