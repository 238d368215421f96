//! The tokens in memory, by owner. Reading takes the lock of one shard for a look-up and no
//! allocation; nothing is awaited under a lock.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table::Entry};
use serde_json::{Map, Value};

use super::{
    kept::Kept,
    shared::FlightKey,
    timeline::{Moment, Timeline},
};
use crate::{
    Scopes,
    store::{Issued, Record, Subject, TokenRequest, Version},
};

const SHARDS: usize = 64;

pub(crate) struct Table {
    shards: [Shard; SHARDS],
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

/// All tokens of an owner; never none. Who the owner is lies with each of them.
enum Tokens {
    /// As most owners have.
    One(Arc<Kept>),
    #[expect(
        clippy::box_collection,
        reason = "half the size, and few owners have several"
    )]
    Many(Box<Vec<Arc<Kept>>>),
}

type Shard = RwLock<HashTable<Tokens>>;

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::new(HashTable::new())),
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
        let hash = self.hasher.hash_one(place);
        let shard = read(self.shard(hash));
        let tokens = shard.find(hash, |tokens| tokens.place() == place)?;
        best(tokens.as_slice(), wanted, now).cloned()
    }

    /// Everything of one owner, and the version it was stored under.
    pub(crate) fn record(&self, key: &Key) -> Option<(Record, Option<Version>)> {
        let (mut record, version) = {
            let hash = self.hasher.hash_one(key.place());
            let shard = read(self.shard(hash));
            let tokens = shard.find(hash, |tokens| tokens.place() == key.place())?;
            let mut record = Record::new();
            record
                .tokens_mut()
                .extend(tokens.as_slice().iter().map(|kept| kept.issued()));
            (record, tokens.first().and_then(Kept::version))
        };
        if let Some(claims) = self.lock_claims().get(key) {
            record = record.with_claims(claims.clone());
        }
        Some((record, version))
    }

    /// A token set of `key` as memory holds it. One that is there already keeps its end, if that is
    /// earlier: reading it again by a wall clock that was set back makes no life longer.
    pub(crate) fn kept(&self, key: &Key, issued: &Issued, timeline: &Timeline) -> Kept {
        let new = Kept::new(&key.subject, issued, timeline);
        let hash = self.hasher.hash_one(key.place());
        let shard = read(self.shard(hash));
        let tokens = shard.find(hash, |tokens| tokens.place() == key.place());
        let tokens = tokens.map_or(&[][..], Tokens::as_slice);
        match tokens.iter().find(|have| have.is_same_as(&new)) {
            Some(have) => new.ending_by(have.end()),
            None => new,
        }
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
        let kept = |issued| {
            let kept = self.kept(key, issued, timeline);
            Arc::new(kept.of(key.registration, version))
        };
        let tokens = match record.tokens() {
            [] => {
                self.take(key);
                return;
            }
            [one] => Tokens::One(kept(one)),
            many => Tokens::Many(Box::new(many.iter().map(kept).collect())),
        };
        let hash = self.hasher.hash_one(key.place());
        let mut shard = write(self.shard(hash));
        let is_it = |tokens: &Tokens| tokens.place() == key.place();
        let rehash = |tokens: &Tokens| self.hasher.hash_one(tokens.place());
        let old = match shard.entry(hash, is_it, rehash) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(entry.get_mut(), tokens)),
            Entry::Vacant(entry) => {
                entry.insert(tokens);
                None
            }
        };
        // What was replaced is wiped after the lock is gone.
        drop(shard);
        drop(old);
    }

    pub(crate) fn remove(&self, key: &Key) -> bool {
        self.lock_claims().remove(key);
        self.take(key)
    }

    fn take(&self, key: &Key) -> bool {
        let hash = self.hasher.hash_one(key.place());
        let mut shard = write(self.shard(hash));
        let is_it = |tokens: &Tokens| tokens.place() == key.place();
        let old = shard
            .find_entry(hash, is_it)
            .ok()
            .map(|entry| entry.remove().0);
        drop(shard);
        old.is_some()
    }

    pub(crate) fn clear(&self) {
        self.lock_claims().clear();
        for shard in &self.shards {
            let old = std::mem::take(&mut *write(shard));
            drop(old);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    /// The ends, owners and requests of the tokens for which `pick` says yes.
    pub(crate) fn requests(&self, pick: impl Fn(&Kept) -> bool) -> Vec<(Moment, FlightKey)> {
        let mut picked = Vec::new();
        for shard in &self.shards {
            for tokens in read(shard).iter() {
                let due = tokens.as_slice().iter().filter(|kept| pick(kept));
                picked.extend(due.map(|kept| {
                    let key = FlightKey {
                        owner: tokens.place().key(),
                        request: kept.request(),
                    };
                    (kept.end(), key)
                }));
            }
        }
        picked
    }

    /// Those who have any token here.
    pub(crate) fn registrations(&self) -> HashSet<u32> {
        let mut all = HashSet::new();
        for shard in &self.shards {
            all.extend(read(shard).iter().map(|tokens| tokens.place().registration));
        }
        all
    }

    /// When each owner's last token ends.
    pub(crate) fn ends(&self) -> Vec<Moment> {
        let mut ends = Vec::new();
        for shard in &self.shards {
            ends.extend(read(shard).iter().map(Tokens::end));
        }
        ends
    }

    /// Removes the owners for whom `keep` says no to every token; how many.
    pub(crate) fn retain(&self, keep: impl Fn(&Kept) -> bool) -> usize {
        self.retain_tokens(|tokens| tokens.as_slice().iter().any(|kept| keep(kept)))
    }

    /// Removes the owners for whom `keep` says no, going by when their last token ends; how many.
    pub(crate) fn retain_owners(&self, mut keep: impl FnMut(&Key, Moment) -> bool) -> usize {
        self.retain_tokens(|tokens| keep(&tokens.place().key(), tokens.end()))
    }

    fn retain_tokens(&self, mut keep: impl FnMut(&Tokens) -> bool) -> usize {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = write(shard);
            gone.extend(shard.extract_if(|tokens| !keep(tokens)));
            let room = shard.len() * 2;
            shard.shrink_to(room, |tokens| self.hasher.hash_one(tokens.place()));
        }
        let mut claims = self.lock_claims();
        for tokens in &gone {
            claims.remove(&tokens.place().key());
        }
        gone.len()
    }

    /// The top bits pick the shard: the others pick the place inside.
    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 48) as usize % SHARDS]
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

// A change of a shard is one insertion or removal: a panic elsewhere leaves nothing half done.

#[inline]
fn read(shard: &Shard) -> RwLockReadGuard<'_, HashTable<Tokens>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &Shard) -> RwLockWriteGuard<'_, HashTable<Tokens>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

fn best<'a>(tokens: &'a [Arc<Kept>], wanted: Wanted<'_>, now: Moment) -> Option<&'a Arc<Kept>> {
    let exact = tokens
        .iter()
        .find(|kept| kept.answers(wanted.scopes, wanted.request));
    let others = match (wanted.request, wanted.scopes) {
        (None, None) => None,
        _ if exact.is_some_and(|kept| kept.end() > now) => return exact,
        (Some(_), _) => return exact,
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
    #[inline]
    fn as_slice(&self) -> &[Arc<Kept>] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    #[inline]
    fn first(&self) -> Option<&Kept> {
        self.as_slice().first().map(|kept| &**kept)
    }

    /// When the last of them ends.
    fn end(&self) -> Moment {
        let ends = self.as_slice().iter().map(|kept| kept.end());
        ends.max().unwrap_or_default()
    }

    #[inline]
    fn place(&self) -> Place<'_> {
        Place {
            registration: self.first().map_or(u32::MAX, Kept::registration),
            user: self.first().and_then(Kept::user_id),
        }
    }
}

/// An owner as the table knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    registration: u32,
    user: Option<&'a str>,
}

impl Key {
    fn place(&self) -> Place<'_> {
        Place {
            registration: self.registration,
            user: self.subject.user_id(),
        }
    }
}

impl Place<'_> {
    fn key(self) -> Key {
        Key {
            registration: self.registration,
            subject: self.user.map_or(Subject::Client, Subject::user),
        }
    }
}
