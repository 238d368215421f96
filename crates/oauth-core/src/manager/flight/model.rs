//! The flight under a model checker that tries the orders in which tasks can run: callers that
//! stay, callers that are cancelled, a pilot that is lost, a clear and an invalidation, all at once.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p oauth-core --lib model`

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

use shuttle::{
    future::{JoinHandle, block_on, spawn, yield_now},
    rand::{Rng, thread_rng},
    sync::Mutex,
};

use super::{super::update::Update, Entry, Flights, Lost, Pilot, Waiter};
use crate::{
    AccessToken, RefreshToken, Token, TokenSet,
    store::{Record, TokenRequest},
};

const KEY: u8 = 7;

#[derive(Clone)]
struct World(Arc<Inner>);

struct Inner {
    flights: Flights<u8, usize>,
    in_the_air: AtomicUsize,
    most: AtomicUsize,
    /// Which flight's result is shown, from 1; 0 for none. As in the manager, whoever shows or
    /// clears holds the owner's lock.
    shown: Mutex<usize>,
    /// The owner's record, under the same lock; at first with token 0.
    record: Mutex<Record>,
    /// All that ever set out.
    all: Mutex<Vec<Arc<Entry<usize>>>>,
}

impl World {
    fn new() -> Self {
        Self(Arc::new(Inner {
            flights: Flights::new(),
            in_the_air: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            shown: Mutex::new(0),
            record: Mutex::new(Record::new().with(TokenRequest::any(), token(0))),
            all: Mutex::new(Vec::new()),
        }))
    }

    fn call(&self, lose: bool) -> JoinHandle<Result<usize, Lost>> {
        let world = self.clone();
        spawn(async move { world.join(lose).wait().await })
    }

    /// A caller that is dropped at its only await, after having been polled there or before.
    fn cancelled_call(&self) -> JoinHandle<()> {
        let world = self.clone();
        spawn(async move {
            let mut wait = Box::pin(world.join(false).wait());
            if thread_rng().gen_bool(0.5) {
                poll_fn(|context| {
                    let _ = wait.as_mut().poll(context);
                    Poll::Ready(())
                })
                .await;
                yield_now().await;
            }
        })
    }

    fn join(&self, lose: bool) -> Waiter<usize> {
        let (waiter, pilot) = self.0.flights.join(&KEY);
        if let Some(pilot) = pilot {
            drop(spawn(self.clone().fly(pilot, lose)));
        }
        waiter
    }

    /// A few steps, then it lands, or is lost.
    async fn fly(self, pilot: Pilot<u8, usize>, lose: bool) {
        let world = &*self.0;
        let number = {
            let mut all = world.all.lock().unwrap();
            all.push(Arc::clone(&pilot.flight));
            all.len()
        };
        let before = world.record.lock().unwrap().tokens()[0].token.clone();
        let now = world.in_the_air.fetch_add(1, SeqCst) + 1;
        world.most.fetch_max(now, SeqCst);
        for _ in 0..thread_rng().gen_range(0..3) {
            yield_now().await;
        }
        world.in_the_air.fetch_sub(1, SeqCst);
        if lose {
            // As a panic does: the pilot is dropped.
            return;
        }
        let mut shown = world.shown.lock().unwrap();
        if !pilot.is_cleared() {
            *shown = number;
            let refreshed = Update::Refreshed {
                base: TokenRequest::any(),
                before: before.access_token().clone(),
                spent: before.refresh_token().unwrap().clone(),
                request: TokenRequest::any(),
                token: token(number),
            };
            world.change(&refreshed);
        }
        drop(shown);
        pilot.land(number);
    }

    fn clear(&self) -> JoinHandle<()> {
        let world = self.clone();
        spawn(async move {
            world.0.flights.clear(|key| *key == KEY);
            *world.0.shown.lock().unwrap() = 0;
        })
    }

    /// Says that the first token is dead, whatever has become of it.
    fn invalidate(&self) -> JoinHandle<()> {
        let world = self.clone();
        spawn(async move {
            let _shown = world.0.shown.lock().unwrap();
            let access_token = token(0).access_token().clone();
            world.0.change(&Update::Invalidated { access_token });
        })
    }

    /// What holds when everything has come to rest.
    fn settle(&self, most: usize) {
        block_on(self.0.flights.idle());
        assert!(!self.0.flights.is_flying(&KEY));
        assert!(
            self.0.most.load(SeqCst) <= most,
            "flights of one key at once"
        );
        let shown = *self.0.shown.lock().unwrap();
        if shown > 0 {
            let all = self.0.all.lock().unwrap();
            assert!(
                !all[shown - 1].cleared.load(SeqCst),
                "a cleared flight is shown"
            );
        }
    }
}

impl Inner {
    fn change(&self, update: &Update) {
        let mut record = self.record.lock().unwrap();
        if let Some(changed) = update.apply(record.clone()) {
            *record = changed;
        }
    }
}

/// Token `number`, which ends an hour after the epoch.
fn token(number: usize) -> TokenSet {
    let access = AccessToken::new(format!("access-{number}")).unwrap();
    let refresh = RefreshToken::new(format!("refresh-{number}")).unwrap();
    TokenSet::new(access, SystemTime::UNIX_EPOCH)
        .with_expires_at(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(3600)))
        .with_refresh_token(Some(refresh))
}

fn check(scenario: impl Fn(World) + Send + Sync + 'static) {
    shuttle::check_random(move || scenario(World::new()), 5_000);
}

#[test]
fn model_callers_share_a_flight_and_all_are_told() {
    check(|world| {
        let calls: Vec<_> = (0..4).map(|_| world.call(false)).collect();
        for call in calls {
            assert!(block_on(call).unwrap().is_ok());
        }
        world.settle(1);
    });
}

#[test]
fn model_a_cancelled_caller_takes_nothing_with_it() {
    check(|world| {
        let (cancelled, staying) = (world.cancelled_call(), world.call(false));
        block_on(cancelled).unwrap();
        assert!(block_on(staying).unwrap().is_ok());
        world.settle(1);
    });
}

#[test]
fn model_a_lost_flight_leaves_the_key_free_and_nobody_waiting() {
    check(|world| {
        let calls: Vec<_> = (0..3).map(|index| world.call(index == 0)).collect();
        for call in calls {
            // One way or the other; a caller that hangs is a deadlock, which the checker reports.
            let _ = block_on(call).unwrap();
        }
        world.settle(1);
        assert!(block_on(world.call(false)).unwrap().is_ok());
    });
}

#[test]
fn model_a_clear_is_not_undone_by_what_set_out_before() {
    check(|world| {
        let before = world.call(false);
        let clearing = world.clear();
        let after = world.call(false);
        block_on(clearing).unwrap();
        assert!(block_on(before).unwrap().is_ok());
        assert!(block_on(after).unwrap().is_ok());
        // One from before the clear, one from after it.
        world.settle(2);
    });
}

#[test]
fn model_an_invalidation_and_a_flight_in_the_air_undo_nothing_of_each_other() {
    check(|world| {
        let before = world.call(false);
        let invalidation = world.invalidate();
        let after = world.call(false);
        block_on(invalidation).unwrap();
        assert!(block_on(before).unwrap().is_ok());
        assert!(block_on(after).unwrap().is_ok());
        world.settle(1);
        let newest = token(*world.0.shown.lock().unwrap());
        let record = world.0.record.lock().unwrap();
        assert_eq!(record.tokens().len(), 1);
        let kept = &record.tokens()[0].token;
        assert_eq!(kept.access_token(), newest.access_token(), "the dead one");
        assert_eq!(kept.refresh_token(), newest.refresh_token(), "one is lost");
        assert_eq!(kept.expires_at(), newest.expires_at(), "a new one is dead");
    });
}
