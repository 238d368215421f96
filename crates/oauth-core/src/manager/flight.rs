//! One flight per key: whoever comes while it is in the air waits for its result.
//!
//! A flight belongs to no caller. It runs in a task of its own, so a caller that is dropped only
//! stops waiting. When the task ends without a result (it panicked, or its runtime was shut down),
//! those who waited are told, and the next one to come starts a new flight.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::{Notify, watch};

use super::sync::Mutex;

/// What is in the air.
#[derive(Debug)]
pub(crate) struct Flights<K, T>(Arc<Inner<K, T>>);

#[derive(Debug)]
struct Inner<K, T> {
    flying: Mutex<HashMap<K, Entry<T>>>,
    landed: Notify,
}

#[derive(Debug)]
struct Entry<T> {
    result: watch::Receiver<Option<T>>,
    cleared: Arc<AtomicBool>,
}

/// Waits for a flight's result.
#[derive(Debug)]
pub(crate) struct Waiter<T>(watch::Receiver<Option<T>>);

/// Held by the task of a flight: lands it, also when the task is dropped or panics.
#[derive(Debug)]
pub(crate) struct Pilot<K: Hash + Eq, T> {
    flights: Arc<Inner<K, T>>,
    key: K,
    result: Option<watch::Sender<Option<T>>>,
    cleared: Arc<AtomicBool>,
}

/// The flight ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

impl<K: Hash + Eq + Clone + Send + Sync, T: Clone + Send + Sync> Flights<K, T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            flying: Mutex::new(HashMap::new()),
            landed: Notify::new(),
        }))
    }

    /// Joins the flight of `key`. When there is none, the caller gets its pilot and has to spawn
    /// the task that flies it.
    pub(crate) fn join(&self, key: &K) -> (Waiter<T>, Option<Pilot<K, T>>) {
        let mut flying = self.0.lock();
        if let Some(entry) = flying.get(key) {
            return (Waiter(entry.result.clone()), None);
        }
        let (sender, result) = watch::channel(None);
        let cleared = Arc::new(AtomicBool::new(false));
        let entry = Entry {
            result: result.clone(),
            cleared: Arc::clone(&cleared),
        };
        flying.insert(key.clone(), entry);
        drop(flying);
        let pilot = Pilot {
            flights: Arc::clone(&self.0),
            key: key.clone(),
            result: Some(sender),
            cleared,
        };
        (Waiter(result), Some(pilot))
    }

    /// Whether `key` is in the air.
    pub(crate) fn is_flying(&self, key: &K) -> bool {
        self.0.lock().contains_key(key)
    }

    /// How many are in the air.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Tells the flights that `pick` names that nothing they bring may be kept, and lets the next
    /// one to come start a new flight rather than join one that set out before. Whether there
    /// were any.
    pub(crate) fn clear(&self, pick: impl Fn(&K) -> bool) -> bool {
        let mut any = false;
        self.0.lock().retain(|key, entry| {
            let picked = pick(key);
            if picked {
                entry.cleared.store(true, SeqCst);
                any = true;
            }
            !picked
        });
        any
    }

    /// Ends when nothing is in the air.
    pub(crate) async fn idle(&self) {
        loop {
            let landed = self.0.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            if self.0.lock().is_empty() {
                return;
            }
            landed.await;
        }
    }
}

impl<K, T> Inner<K, T> {
    fn lock(&self) -> super::sync::MutexGuard<'_, HashMap<K, Entry<T>>> {
        // A change is one insertion or removal: a panic elsewhere leaves nothing half done.
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, T> Clone for Flights<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + Sync> Waiter<T> {
    pub(crate) async fn wait(mut self) -> Result<T, Lost> {
        match self.0.wait_for(Option::is_some).await {
            Ok(result) => result.clone().ok_or(Lost),
            Err(_) => Err(Lost),
        }
    }
}

impl<K: Hash + Eq, T> Pilot<K, T> {
    /// Whether the key was cleared since the flight set out.
    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared.load(SeqCst)
    }

    /// Tells everybody who waits. Whoever comes after this starts anew.
    pub(crate) fn land(mut self, result: T) {
        if let Some(sender) = self.result.take() {
            self.leave();
            sender.send_replace(Some(result));
        }
    }

    fn leave(&self) {
        let mut flying = self.flights.lock();
        // After a clear the key may be another flight's.
        if flying
            .get(&self.key)
            .is_some_and(|entry| Arc::ptr_eq(&entry.cleared, &self.cleared))
        {
            flying.remove(&self.key);
        }
        drop(flying);
        self.flights.landed.notify_waiters();
    }
}

impl<K: Hash + Eq, T> Drop for Pilot<K, T> {
    fn drop(&mut self) {
        if self.result.is_some() {
            self.leave();
        }
    }
}

#[cfg(all(test, shuttle))]
mod model;
