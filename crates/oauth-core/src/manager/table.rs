//! The tokens in memory, by owner. Reading takes the lock of one shard for a look-up and no
//! allocation; nothing is awaited under a lock.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::{
    kept::Kept,
    timeline::{Moment, Timeline},
};
use crate::{
    Scopes,
    store::{Record, Subject, TokenRequest, Version},
};

const SHARDS: usize = 64;

pub(crate) struct Table {
    shards: [RwLock<HashSet<Entry, RandomState>>; SHARDS],
    hasher: RandomState,
    /// What is known of users; most have none.
    claims: Mutex<HashMap<Key, Map<String, Value>>>,
}

/// Registration and subject: an owner, as short as one process can say it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) registration: u32,
    pub(crate) subject: Subject,
}

/// What is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) scopes: Option<&'a Scopes>,
    /// When there is more to it than scopes.
    pub(crate) request: Option<&'a TokenRequest>,
    pub(crate) superset: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(request: &'a TokenRequest, superset: bool) -> Self {
        Self {
            scopes: request.requested_scopes(),
            request: (!request.is_plain()).then_some(request),
            superset,
        }
    }
}

/// Never without a token: the subject lies with the first one.
struct Entry(Box<Owned>);

struct Owned {
    registration: u32,
    version: Option<Version>,
    tokens: Tokens,
}

/// Most owners have one.
enum Tokens {
    One(Arc<Kept>),
    #[expect(
        clippy::box_collection,
        reason = "half the size, and few owners have several"
    )]
    Many(Box<Vec<Arc<Kept>>>),
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::default(),
            claims: Mutex::default(),
        }
    }

    /// The token for `wanted` that lives longest after `now`; an exact one, also a dead one, before
    /// any other.
    #[inline]
    pub(crate) fn find(
        &self,
        registration: u32,
        subject: &Subject,
        wanted: Wanted<'_>,
        now: Moment,
    ) -> Option<Arc<Kept>> {
        let place = Place {
            registration,
            user: subject.user_id(),
        };
        let shard = self.read(place);
        let entry = shard.get(&place as &dyn Placed)?;
        best(entry.0.tokens.as_slice(), wanted, now).cloned()
    }

    /// Everything of one owner, and the version it was stored under.
    pub(crate) fn record(&self, key: &Key) -> Option<(Record, Option<Version>)> {
        let (mut record, version) = {
            let shard = self.read(key.place());
            let owned = &shard.get(&key.place() as &dyn Placed)?.0;
            let mut record = Record::new();
            record
                .tokens_mut()
                .extend(owned.tokens.as_slice().iter().map(|kept| kept.issued()));
            (record, owned.version)
        };
        if let Some(claims) = self.lock_claims().get(key) {
            record = record.with_claims(claims.clone());
        }
        Some((record, version))
    }

    /// Puts a whole record in the place of what was there.
    pub(crate) fn put(
        &self,
        key: &Key,
        record: &Record,
        version: Option<Version>,
        timeline: &Timeline,
    ) {
        let mut claims = self.lock_claims();
        match record.claims().is_empty() {
            true => drop(claims.remove(key)),
            false => drop(claims.insert(key.clone(), record.claims().clone())),
        }
        drop(claims);
        let kept = |issued| Arc::new(Kept::new(&key.subject, issued, timeline));
        let tokens = match record.tokens() {
            [] => {
                self.remove(key);
                return;
            }
            [one] => Tokens::One(kept(one)),
            many => Tokens::Many(Box::new(many.iter().map(kept).collect())),
        };
        let entry = Entry(Box::new(Owned {
            registration: key.registration,
            version,
            tokens,
        }));
        // What was replaced is wiped after the lock is gone.
        let _old = self.write(key.place()).replace(entry);
    }

    pub(crate) fn remove(&self, key: &Key) -> bool {
        self.lock_claims().remove(key);
        let entry = self.write(key.place()).take(&key.place() as &dyn Placed);
        entry.is_some()
    }

    pub(crate) fn clear(&self) {
        self.lock_claims().clear();
        for shard in &self.shards {
            let _old = std::mem::take(&mut *shard.write().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn len(&self) -> usize {
        let len = |shard: &RwLock<HashSet<_, _>>| {
            shard.read().unwrap_or_else(PoisonError::into_inner).len()
        };
        self.shards.iter().map(len).sum()
    }

    /// The owners for whom `pick` says yes to one of their tokens.
    pub(crate) fn keys(&self, pick: impl Fn(&Kept) -> bool) -> Vec<Key> {
        let mut keys = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for entry in shard.iter() {
                if entry.0.tokens.as_slice().iter().any(|kept| pick(kept)) {
                    keys.push(entry.key());
                }
            }
        }
        keys
    }

    /// Shows every token.
    pub(crate) fn each(&self, mut show: impl FnMut(&Kept)) {
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for entry in shard.iter() {
                entry.0.tokens.as_slice().iter().for_each(|kept| show(kept));
            }
        }
    }

    /// Removes the owners for whom `keep` says no to every token; how many.
    pub(crate) fn retain(&self, keep: impl Fn(&Kept) -> bool) -> usize {
        self.retain_keys(|_, kept| keep(kept))
    }

    /// As [`Table::retain`], by owner and token.
    pub(crate) fn retain_keys(&self, keep: impl Fn(&Key, &Kept) -> bool) -> usize {
        let mut gone = 0;
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|entry| {
                let key = entry.key();
                entry
                    .0
                    .tokens
                    .as_slice()
                    .iter()
                    .any(|kept| keep(&key, kept))
            });
            gone += before - shard.len();
            let room = shard.len() * 2;
            shard.shrink_to(room);
        }
        gone
    }

    fn shard(&self, place: Place<'_>) -> &RwLock<HashSet<Entry, RandomState>> {
        // The top bits: the low ones pick the bucket inside.
        let hash = self.hasher.hash_one(place);
        &self.shards[(hash >> 58) as usize % SHARDS]
    }

    fn read(&self, place: Place<'_>) -> RwLockReadGuard<'_, HashSet<Entry, RandomState>> {
        let shard = self.shard(place).read();
        // A change is one insertion or removal: a panic elsewhere leaves nothing half done.
        shard.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, place: Place<'_>) -> RwLockWriteGuard<'_, HashSet<Entry, RandomState>> {
        let shard = self.shard(place).write();
        shard.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_claims(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Map<String, Value>>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} owners)", self.len())
    }
}

fn best<'a>(tokens: &'a [Arc<Kept>], wanted: Wanted<'_>, now: Moment) -> Option<&'a Arc<Kept>> {
    let exact = tokens
        .iter()
        .find(|kept| kept.answers(wanted.scopes, wanted.request));
    let others = match (wanted.request, wanted.scopes) {
        _ if exact.is_some_and(|kept| kept.end() > now) => return exact,
        (Some(_), _) => return exact,
        (None, None) => None,
        (None, Some(scopes)) if wanted.superset => Some(scopes),
        (None, Some(_)) => return exact,
    };
    let fits = |kept: &&Arc<Kept>| {
        kept.is_plain()
            && kept.end() > now
            && others.is_none_or(|scopes| scopes.is_subset(kept.granted()))
    };
    let other = tokens.iter().filter(fits).max_by_key(|kept| kept.end());
    other.or(exact)
}

impl Tokens {
    fn as_slice(&self) -> &[Arc<Kept>] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// How entries are hashed and compared, without a key of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    registration: u32,
    user: Option<&'a str>,
}

trait Placed {
    fn place(&self) -> Place<'_>;
}

impl Key {
    fn place(&self) -> Place<'_> {
        Place {
            registration: self.registration,
            user: self.subject.user_id(),
        }
    }
}

impl Placed for Place<'_> {
    fn place(&self) -> Place<'_> {
        *self
    }
}

impl Entry {
    fn key(&self) -> Key {
        let place = self.place();
        Key {
            registration: place.registration,
            subject: place.user.map_or(Subject::Client, Subject::user),
        }
    }
}

impl Placed for Entry {
    fn place(&self) -> Place<'_> {
        let first = self.0.tokens.as_slice().first();
        Place {
            registration: self.0.registration,
            user: first.and_then(|kept| kept.user_id()),
        }
    }
}

impl<'a> Borrow<dyn Placed + 'a> for Entry {
    fn borrow(&self) -> &(dyn Placed + 'a) {
        self
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Entry {}

impl Hash for dyn Placed + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl PartialEq for dyn Placed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Placed + '_ {}
