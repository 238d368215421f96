//! Redis: one server, or one with replicas, for the machines of a fleet.
//!
//! ```no_run
//! use oauth_store::{Plaintext, redis::Redis};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let server = Redis::connect("rediss://:password@cache.example.com").await?;
//! let store = Plaintext::new(server);
//! # Ok::<(), oauth_core::store::StoreError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every change is one script, which Redis runs whole and with nothing in between: it compares the
//! version, checks the lease's fencing number, writes the record and its places in the indexes.
//!
//! What a write that Redis acknowledged is worth depends on the server:
//!
//! | setting | lost when the process stops | when the machine stops |
//! |---|---|---|
//! | `appendonly no` (the default) | all since the last snapshot | the same |
//! | `appendonly yes`, `appendfsync everysec` | nothing | about one second |
//! | `appendonly yes`, `appendfsync always` | nothing | nothing |
//!
//! A replica that takes over may not have the last writes of any of them. A rotated refresh token
//! among what is lost means that its user has to authorize again; use PostgreSQL where that must
//! not happen. A server that throws keys away when its memory is full is refused.
//!
//! Redis 6 or later. All keys of a store have one hash tag, but Redis Cluster is not supported.

mod builder;
mod failure;
mod keys;
mod link;
mod scripts;
mod server;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{Lease, Owner, StoreError, StoreErrorKind, Version};
use zeroize::Zeroizing;

pub use builder::RedisBuilder;

use self::{
    keys::Keys,
    link::{Link, command},
    scripts::Scripts,
};
use crate::{
    backend::{Backend, Owners, Row, Sealed},
    moment, owner_name,
};

/// How many records one script removes: nothing else runs in Redis meanwhile.
const REMOVED_AT_ONCE: usize = 1_000;

/// A link to a Redis server. Clones share it.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    keys: Arc<Keys>,
    scripts: Arc<Scripts>,
}

impl Redis {
    /// Connects to the server of `url` with the default settings.
    ///
    /// # Errors
    /// As [`RedisBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// Settings for the server of `url`: `rediss://user:password@host:port/database`, or
    /// `redis://` without TLS, or `unix:///path`.
    pub fn builder(url: &str) -> RedisBuilder {
        RedisBuilder::new(url)
    }

    /// Removes at most `limit` records that `index` has up to `score`; how many there were.
    async fn remove_from(
        &self,
        index: &[u8],
        score: &str,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let Keys {
            record,
            due,
            dead,
            owners,
            ..
        } = &*self.keys;
        let (mut left, mut removed) = (limit, 0);
        while left > 0 {
            let batch = left.min(REMOVED_AT_ONCE);
            let (found, gone): (usize, u64) = self
                .link
                .run(
                    &self.scripts.purge,
                    &[index, due, dead, owners],
                    &[
                        record.as_bytes(),
                        score.as_bytes(),
                        batch.to_string().as_bytes(),
                    ],
                )
                .await?;
            removed += gone;
            if found < batch {
                break;
            }
            left -= batch;
        }
        Ok(removed)
    }

    async fn names(&self, command: &redis::Cmd) -> Result<Vec<Vec<u8>>, StoreError> {
        self.link.ask(command).await
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Redis {
    async fn load(&self, owner: &Owner) -> Result<Option<Row>, StoreError> {
        let key = self.keys.record_of(owner);
        let command = command("HMGET", [&key[..]].into_iter().chain(FIELDS));
        let fields: Vec<Option<Vec<u8>>> = self.link.ask(&command).await?;
        if fields.iter().all(Option::is_none) {
            return Ok(None);
        }
        match read(fields) {
            Some(row) => Ok(Some(row)),
            None => Err(StoreError::new(
                StoreErrorKind::Unreadable,
                "a record in Redis is damaged; remove it and authorize again",
            )),
        }
    }

    async fn save(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let (name, key) = self.keys.of(owner);
        // Without a lease there is no fence to compare with, whatever is under that key.
        let lease_key = self.keys.lease(lease.map_or("", Lease::name));
        let replaces = text(replaces.map(Version::get));
        let fence = text(lease.map(Lease::fence));
        let refresh_at = text(sealed.refresh_at.map(moment::write));
        let dead_at = text(sealed.dead_at.map(moment::write));
        let Keys {
            number,
            due,
            dead,
            owners,
            ..
        } = &*self.keys;
        let answer: i64 = self
            .link
            .run(
                &self.scripts.save,
                &[&key, &lease_key, number, due, dead, owners],
                &[
                    &name,
                    replaces.as_bytes(),
                    fence.as_bytes(),
                    &sealed.bytes,
                    sealed.key_id.as_deref().unwrap_or_default().as_bytes(),
                    refresh_at.as_bytes(),
                    dead_at.as_bytes(),
                ],
            )
            .await?;
        match answer {
            -1 => Err(StoreError::new(
                StoreErrorKind::Fenced,
                "the lease ran out and was given to somebody else",
            )),
            0 => Err(StoreError::new(
                StoreErrorKind::Conflict,
                "another version of the record is stored",
            )),
            version => Ok(Version::new(version.unsigned_abs())),
        }
    }

    async fn reseal(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        version: Version,
    ) -> Result<bool, StoreError> {
        let key = self.keys.record_of(owner);
        self.link
            .run(
                &self.scripts.reseal,
                &[&key],
                &[
                    version.get().to_string().as_bytes(),
                    &sealed.bytes,
                    sealed.key_id.as_deref().unwrap_or_default().as_bytes(),
                ],
            )
            .await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        let (name, key) = self.keys.of(owner);
        let Keys {
            due, dead, owners, ..
        } = &*self.keys;
        self.link
            .run(&self.scripts.remove, &[&key, due, dead, owners], &[&name])
            .await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.remove_from(&self.keys.owners, "+inf", usize::MAX)
            .await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let ttl = moment::ttl(ttl).to_string();
        let (fence, abandoned): (u64, bool) = self
            .link
            .run(
                &self.scripts.lease,
                &[&self.keys.lease(name), &self.keys.number],
                &[ttl.as_bytes()],
            )
            .await?;
        Ok((fence > 0).then(|| Lease::new(name, fence).with_abandoned(abandoned)))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let key = self.keys.lease(lease.name());
        let fence = lease.fence().to_string();
        let abandoned: &[u8] = if lease.was_abandoned() { b"1" } else { b"0" };
        let _was_ours: bool = self
            .link
            .run(
                &self.scripts.release,
                &[&key],
                &[fence.as_bytes(), abandoned],
            )
            .await?;
        Ok(())
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        let mut skipped = 0;
        loop {
            let mut command = redis::cmd("ZRANGEBYSCORE");
            command.arg(&self.keys.due).arg("-inf");
            command.arg(format!("({}", moment::write(before)));
            command.arg("LIMIT").arg(skipped).arg(count(limit));
            let names = self.names(&command).await?;
            let owners = owner_name::readable(names.iter().map(Vec::as_slice));
            // Those whose names cannot be read must not hide the others.
            if names.is_empty() || !owners.is_empty() {
                return Ok(owners);
            }
            skipped += names.len();
        }
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        let before = format!("({}", moment::write(before));
        let gone = self.remove_from(&self.keys.dead, &before, limit).await?;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Owners, StoreError> {
        let mut after = after.map(|owner| owner_name::write(owner).into_bytes());
        let mut found = Owners::default();
        loop {
            let from = after.map_or(b"-".to_vec(), |name| [b"(", &name[..]].concat());
            let mut command = redis::cmd("ZRANGEBYLEX");
            command.arg(&self.keys.owners).arg(from).arg("+");
            command.arg("LIMIT").arg(0).arg(count(limit));
            let mut names = self.names(&command).await?;
            owner_name::add(&mut found, names.iter().map(Vec::as_slice));
            after = names.pop();
            if after.is_none() || !found.owners.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// What a record is made of. One that is not there is the empty text.
const FIELDS: [&[u8]; 5] = [b"version", b"body", b"key_id", b"refresh_at", b"dead_at"];

fn read(fields: Vec<Option<Vec<u8>>>) -> Option<Row> {
    let [version, body, key_id, refresh_at, dead_at] = <[_; 5]>::try_from(fields).ok()?;
    let body = Zeroizing::new(body?);
    let text = |field: Option<Vec<u8>>| String::from_utf8(field?).ok();
    let time = |field| match text(field)?.as_str() {
        "" => Some(None),
        micros => micros.parse().ok().map(|at| Some(moment::read(at))),
    };
    let key_id = text(key_id)?;
    Some(Row {
        sealed: Sealed {
            bytes: body,
            key_id: (!key_id.is_empty()).then(|| key_id.into()),
            refresh_at: time(refresh_at)?,
            dead_at: time(dead_at)?,
        },
        version: Version::new(text(version)?.parse().ok()?),
    })
}

fn text(number: Option<impl ToString>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// Redis reads a limit as a signed number.
fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
