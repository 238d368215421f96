//! Where token sets are kept: a trait, and the memory of this process.
//!
//! A store holds one [`Record`] per [`Owner`], written and replaced as a whole: after a crash there
//! is the old record or the new one, never half of either. Every record has a [`Version`], and a
//! save names the one it replaces, so that two processes cannot overwrite each other unseen.
//! Leases keep them from spending one refresh token twice.
//!
//! ```
//! use std::time::SystemTime;
//! use oauth_core::{AccessToken, TokenSet};
//! use oauth_core::store::{MemoryStore, Owner, Record, Subject, TokenRequest, TokenStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = MemoryStore::new();
//! let owner = Owner::new("https://id.example.com", "client-id", Subject::user("42"));
//! let token = TokenSet::new(AccessToken::new("secret")?, SystemTime::now());
//! let record = Record::new().with(TokenRequest::any(), token);
//! let version = store.save(&owner, &record, None, None).await?;
//! assert_eq!(store.load(&owner).await?.map(|stored| stored.version), Some(version));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod memory;
mod owner;
mod record;
mod request;
#[cfg(feature = "store-suite")]
pub mod suite;

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use owner::{Owner, Subject};
pub use record::{Issued, Record};
pub use request::TokenRequest;

/// A durable home of whole token sets.
///
/// What every implementation promises, and the `suite` beside this trait (feature `store-suite`)
/// checks:
///
/// - a save that was acknowledged is kept, as well as the store's own settings allow;
/// - two records of different owners never meet, whatever characters their names have;
/// - a version is never given twice to one owner, not even after the record was removed;
/// - every call ends within a time limit of the store's own, with an error if need be.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// The record of `owner`, if there is one.
    ///
    /// # Errors
    /// When the store cannot be asked, or what it holds cannot be read.
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError>;

    /// Writes the record of `owner` in one step. `replaces` is the version it is made from; `None`
    /// means that there is no record yet. With a `lease`, the lease must be the newest of its name.
    /// It may have run out, as long as nobody else has had it since: what was fetched under it must
    /// not be lost. One that was given back is refused, unless it [was
    /// abandoned](Lease::was_abandoned) before: that one is still remembered. Of one that the store
    /// has forgotten either may come, and the version alone decides then.
    ///
    /// # Errors
    /// [`StoreErrorKind::Fenced`], which is looked at first, when it is not the newest lease;
    /// [`StoreErrorKind::Conflict`] when the stored version is another; otherwise when the record
    /// may not have been kept.
    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError>;

    /// Removes the record of `owner`, whatever its version; whether there was one.
    ///
    /// # Errors
    /// When it may still be there.
    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError>;

    /// Removes every record; how many there were.
    ///
    /// # Errors
    /// When some may still be there.
    async fn clear(&self) -> Result<u64, StoreError>;

    /// Takes the lease `name` for `ttl`, unless somebody has it: `None`. Time is the store's own.
    /// One that nobody gave back is remembered for a day after it ran out, so that its holder can
    /// still save and the next one knows.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Gives a lease back before it runs out. One that ran out or was lost is no error.
    ///
    /// While [`Lease::was_abandoned`] it ends now, but is remembered as abandoned itself: the next
    /// one has to know, too. Who has found out what became of the one before says so with
    /// [`Lease::with_abandoned`].
    ///
    /// # Errors
    /// When the store cannot be asked; the lease then ends by itself.
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// At most `limit` owners whose [`Record::refresh_at`] is before `before`, the earliest first.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError>;

    /// Removes at most `limit` records whose [`Record::dead_at`] is before `before`; how many.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError>;

    /// At most `limit` owners after `after`, in an order of the store's own that stays the same.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError>;
}

/// A record and its version.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stored {
    /// What is kept.
    pub record: Record,
    /// What a save names to replace it.
    pub version: Version,
}

impl Stored {
    /// `record` as it was kept under `version`.
    #[must_use]
    pub fn new(record: Record, version: Version) -> Self {
        Self { record, version }
    }
}

/// Which writing of a record it is. Two are equal or not; no more is said by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// The version that the store counts as `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The store's number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The right to be the only one who does something, until it runs out. Each lease of a name has a
/// higher fencing number than those before it: whoever comes back late is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    name: String,
    fence: u64,
    abandoned: bool,
}

impl Lease {
    /// The lease `name` with the fencing number `fence`.
    pub fn new(name: impl Into<String>, fence: u64) -> Self {
        Self {
            name: name.into(),
            fence,
            abandoned: false,
        }
    }

    /// The lease, knowing whether the one before it ran out without being given back.
    #[must_use]
    pub fn with_abandoned(mut self, abandoned: bool) -> Self {
        self.abandoned = abandoned;
        self
    }

    /// Whether the one before it ran out without being given back, or knew of another that had: who
    /// had it may have died, and what it had fetched with it.
    #[must_use]
    pub fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    /// What it is for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fencing number.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }
}
