//! A token by its owner: one owner asked for again and again, and a million in random order,
//! where the cost is cache misses.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    hint::black_box,
    sync::{Arc, RwLock},
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::RandomState;
use oauth_core::{AccessToken, TokenSet, manager::TokenManager, store::Subject};

use crate::{
    contest::{Contestant, Count, Effort, interleave, nanoseconds_each},
    endpoint::Endpoint,
    libraries::client,
    throughput,
};

const MANY: usize = 1_000_000;

/// Asks so many times, for owner after owner.
type Ask = Box<dyn FnMut(usize)>;

pub fn run(effort: Effort) {
    let calls = effort.pick(1_000_000, 200_000);
    for (figure, owners) in [
        ("keyed get, 1 owner", 1),
        ("keyed get, 1,000,000 owners", MANY),
    ] {
        let timed = |(who, mut ask): (&'static str, Ask)| {
            Contestant::new(who, move || {
                let started = Instant::now();
                ask(calls);
                vec![nanoseconds_each(started.elapsed(), calls)]
            })
        };
        let contestants = everyone(owners).map(timed).into();
        interleave(&[(figure, "ns")], effort.pick(15, 5), contestants);
    }
}

/// What one call allocates.
pub fn allocations(count: Count) {
    const CALLS: usize = 1_000;
    let counted = |(who, mut ask): (&'static str, Ask)| {
        Contestant::new(who, move || {
            let (allocations, _) = count(&mut || ask(CALLS));
            vec![allocations as f64 / CALLS as f64]
        })
    };
    let figures = [("keyed get, allocations", "allocations")];
    interleave(&figures, 3, everyone(1_000).map(counted).into());
}

fn everyone(owners: usize) -> [(&'static str, Ask); 3] {
    [
        by_hand::<papaya::HashMap<Owner, Arc<Stored>, RandomState>>(owners),
        by_hand::<RwLock<HashMap<Owner, Arc<Stored>, RandomState>>>(owners),
        ours(owners),
    ]
}

fn ours(owners: usize) -> (&'static str, Ask) {
    let tokens = TokenManager::new(client(&Endpoint::start()));
    let mut asked: Vec<_> = (0..owners)
        .map(|number| Subject::user(user_id(number)))
        .collect();
    let runtime = throughput::runtime();
    runtime.block_on(async {
        let now = SystemTime::now();
        for (number, subject) in asked.iter().enumerate() {
            let token = AccessToken::new(access_token(number)).expect("ASCII");
            let token =
                TokenSet::new(token, now).with_expires_at(Some(now + Duration::from_secs(3_600)));
            tokens.register(subject, token).await.expect("it is kept");
        }
    });
    shuffle(&mut asked);
    let mut next = turns(owners);
    let ask = move |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                let token = tokens.get(&asked[next()], None).await.expect("it was put");
                black_box(token.expose_secret());
            }
        });
    };
    ("oauth-core get", Box::new(ask))
}

/// Whose token: as a user of a bare map would write it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Owner {
    issuer: Arc<str>,
    client_id: Arc<str>,
    user_id: Box<str>,
}

struct Stored {
    access_token: String,
    expires_at: Instant,
}

/// A concurrent map, by hand.
trait Map: Default + 'static {
    const NAME: &'static str;

    fn put(&self, owner: Owner, token: Arc<Stored>);

    fn get(&self, owner: &Owner) -> Option<Arc<Stored>>;
}

impl<S: BuildHasher + Default + 'static> Map for papaya::HashMap<Owner, Arc<Stored>, S> {
    const NAME: &'static str = "by hand: papaya, foldhash";

    fn put(&self, owner: Owner, token: Arc<Stored>) {
        self.pin().insert(owner, token);
    }

    fn get(&self, owner: &Owner) -> Option<Arc<Stored>> {
        self.pin().get(owner).cloned()
    }
}

impl<S: BuildHasher + Default + 'static> Map for RwLock<HashMap<Owner, Arc<Stored>, S>> {
    const NAME: &'static str = "by hand: RwLock<HashMap>, foldhash";

    fn put(&self, owner: Owner, token: Arc<Stored>) {
        self.write().expect("not poisoned").insert(owner, token);
    }

    fn get(&self, owner: &Owner) -> Option<Arc<Stored>> {
        self.read().expect("not poisoned").get(owner).cloned()
    }
}

fn by_hand<M: Map>(owners: usize) -> (&'static str, Ask) {
    let map = M::default();
    let expires_at = Instant::now() + Duration::from_secs(3_600);
    let (issuer, client_id) = (Arc::from("https://id.example.com"), Arc::from("client"));
    let mut asked: Vec<_> = (0..owners)
        .map(|number| Owner {
            issuer: Arc::clone(&issuer),
            client_id: Arc::clone(&client_id),
            user_id: user_id(number),
        })
        .collect();
    for (number, owner) in asked.iter().enumerate() {
        let token = Stored {
            access_token: access_token(number),
            expires_at,
        };
        map.put(owner.clone(), Arc::new(token));
    }
    shuffle(&mut asked);
    let mut next = turns(owners);
    let ask = move |calls| {
        for _ in 0..calls {
            let token = map.get(&asked[next()]).expect("it was put");
            assert!(
                Instant::now() < token.expires_at,
                "the run takes less than an hour"
            );
            black_box(&token.access_token);
        }
    };
    (M::NAME, Box::new(ask))
}

/// The same order for everybody.
fn shuffle<T>(asked: &mut [T]) {
    fastrand::Rng::with_seed(7).shuffle(asked);
}

/// 0, 1, …, `owners` - 1, 0, 1, …: it goes on where the last round stopped.
fn turns(owners: usize) -> impl FnMut() -> usize {
    let mut position = 0;
    move || {
        position = if position + 1 == owners {
            0
        } else {
            position + 1
        };
        position
    }
}

pub(crate) fn user_id(number: usize) -> Box<str> {
    format!("user-{number:08}").into()
}

/// 30 characters, as all the tokens of this program.
pub(crate) fn access_token(number: usize) -> String {
    format!("{number:030}")
}
