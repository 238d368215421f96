//! A token by its owner: one owner asked for again and again, and a million in random order,
//! where the cost is cache misses.

use std::{
    hash::{BuildHasher, Hash},
    hint::black_box,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;

use crate::contest::{Contestant, Effort, interleave, nanoseconds_each};

const MANY: usize = 1_000_000;

pub fn run(effort: Effort) {
    let rounds = effort.pick(15, 5);
    let calls = effort.pick(1_000_000, 200_000);
    for (figure, owners) in [
        ("keyed get, 1 owner", 1),
        ("keyed get, 1,000,000 owners", MANY),
    ] {
        let contestants = vec![
            by_hand::<papaya::HashMap<Owner, Arc<Stored>, RandomState>>(owners, calls),
            by_hand::<RwLock<std::collections::HashMap<Owner, Arc<Stored>, RandomState>>>(
                owners, calls,
            ),
        ];
        interleave(&[(figure, "ns")], rounds, contestants);
    }
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

impl<S: BuildHasher + Default + 'static> Map
    for RwLock<std::collections::HashMap<Owner, Arc<Stored>, S>>
{
    const NAME: &'static str = "by hand: RwLock<HashMap>, foldhash";

    fn put(&self, owner: Owner, token: Arc<Stored>) {
        self.write().expect("not poisoned").insert(owner, token);
    }

    fn get(&self, owner: &Owner) -> Option<Arc<Stored>> {
        self.read().expect("not poisoned").get(owner).cloned()
    }
}

fn by_hand<M: Map>(owners: usize, calls: usize) -> Contestant {
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
    fastrand::Rng::with_seed(7).shuffle(&mut asked);
    let mut next = turns(owners);
    Contestant::new(M::NAME, move || {
        let started = Instant::now();
        for _ in 0..calls {
            let token = map.get(&asked[next()]).expect("it was put");
            assert!(
                Instant::now() < token.expires_at,
                "the run takes less than an hour"
            );
            black_box(&token.access_token);
        }
        vec![nanoseconds_each(started.elapsed(), calls)]
    })
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
