//! One flight per key: whoever comes while it is in the air waits for its result.
//!
//! A flight belongs to no caller. It runs in a task of its own, so a caller that is dropped only
//! stops waiting. When the task ends without a result (it panicked, or its runtime was shut down),
//! those who waited are told, and the next one to come starts a new flight.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::Notify;

use super::sync::Mutex;

/// What is in the air.
#[derive(Debug)]
pub(crate) struct Flights<K, T>(Arc<Inner<K, T>>);

#[derive(Debug)]
struct Inner<K, T> {
    flying: Mutex<HashMap<K, Arc<Entry<T>>>>,
    landed: Notify,
}

/// One flight. Thousands may wait for it: they share this, and each keeps little.
#[derive(Debug)]
struct Entry<T> {
    result: OnceLock<Result<T, Lost>>,
    /// Told once there is a result.
    over: Notify,
    cleared: AtomicBool,
}

/// Waits for a flight's result.
#[derive(Debug)]
pub(crate) struct Waiter<T>(Arc<Entry<T>>);

/// Held by the task of a flight: lands it, also when the task is dropped or panics.
#[derive(Debug)]
pub(crate) struct Pilot<K: Hash + Eq, T> {
    flights: Arc<Inner<K, T>>,
    key: K,
    flight: Arc<Entry<T>>,
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
        if let Some(flight) = flying.get(key) {
            return (Waiter(Arc::clone(flight)), None);
        }
        let flight = Arc::new(Entry {
            result: OnceLock::new(),
            over: Notify::new(),
            cleared: AtomicBool::new(false),
        });
        flying.insert(key.clone(), Arc::clone(&flight));
        drop(flying);
        let pilot = Pilot {
            flights: Arc::clone(&self.0),
            key: key.clone(),
            flight: Arc::clone(&flight),
        };
        (Waiter(flight), Some(pilot))
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
        self.0.lock().retain(|key, flight| {
            let picked = pick(key);
            if picked {
                flight.cleared.store(true, SeqCst);
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
    fn lock(&self) -> super::sync::MutexGuard<'_, HashMap<K, Arc<Entry<T>>>> {
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
    pub(crate) async fn wait(self) -> Result<T, Lost> {
        // Made before the look at the result: one that comes after the look wakes it.
        let over = self.0.over.notified();
        if let Some(result) = self.0.result.get() {
            return result.clone();
        }
        over.await;
        self.0.result.get().cloned().unwrap_or(Err(Lost))
    }
}

impl<K: Hash + Eq, T> Pilot<K, T> {
    /// Whether the key was cleared since the flight set out.
    pub(crate) fn is_cleared(&self) -> bool {
        self.flight.cleared.load(SeqCst)
    }

    /// Tells everybody who waits. Whoever comes after this starts anew.
    pub(crate) fn land(self, result: T) {
        self.end(Ok(result));
    }

    fn end(&self, result: Result<T, Lost>) {
        let mut flying = self.flights.lock();
        // After a clear the key may be another flight's.
        if flying
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            flying.remove(&self.key);
        }
        drop(flying);
        self.flights.landed.notify_waiters();
        // Only the first end counts.
        let _ = self.flight.result.set(result);
        self.flight.over.notify_waiters();
    }
}

impl<K: Hash + Eq, T> Drop for Pilot<K, T> {
    fn drop(&mut self) {
        if self.flight.result.get().is_none() {
            self.end(Err(Lost));
        }
    }
}

#[cfg(all(test, shuttle))]
mod model;

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{
        hint::spin_loop,
        sync::{
            atomic::AtomicU32,
            mpsc::{self, TryRecvError},
        },
        thread,
        time::{Duration, Instant},
    };

    use tokio::{runtime::Builder, time::timeout};

    use super::*;

    /// The model checker does not stop anybody between the look at the result and the wait for it.
    #[test]
    fn who_comes_while_a_flight_lands_is_told() {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let (send, pilots) = mpsc::sync_channel::<Pilot<u8, u32>>(1);
        let here = Arc::new(AtomicU32::new(0));
        let lands = {
            let here = Arc::clone(&here);
            move || {
                for number in 1.. {
                    let pilot = loop {
                        match pilots.try_recv() {
                            Ok(pilot) => break pilot,
                            Err(TryRecvError::Empty) => thread::yield_now(),
                            Err(TryRecvError::Disconnected) => return,
                        }
                    };
                    while here.load(SeqCst) < number {
                        thread::yield_now();
                    }
                    for _ in 0..number % 64 {
                        spin_loop();
                    }
                    pilot.land(number);
                }
            }
        };
        let landing = thread::spawn(lands);
        let started = Instant::now();
        for number in 1..=200_000 {
            let (waiter, pilot) = Flights::new().join(&1);
            send.send(pilot.expect("the first")).expect("a thread");
            let told = runtime.block_on(async {
                here.store(number, SeqCst);
                timeout(Duration::from_secs(10), waiter.wait()).await
            });
            assert_eq!(told, Ok(Ok(number)));
            // Where the cores are busy with something else, fewer have to do.
            if started.elapsed() > Duration::from_secs(5) {
                break;
            }
        }
        drop(send);
        landing.join().expect("nothing that could panic");
    }
}
