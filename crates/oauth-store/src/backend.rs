//! What a database has to do: keep rows whose bytes it need not understand.
//!
//! A [`Backend`] holds one [`Row`] per owner. It never sees a token: [`Plaintext`] and `Encrypted`
//! make a [`TokenStore`] of any backend, and decide what the bytes are. The promises of
//! [`TokenStore`] are the backend's to keep, and its suite is what tests them.
//!
//! [`Plaintext`]: crate::Plaintext
//! [`TokenStore`]: oauth_core::store::TokenStore

use std::{
    fmt,
    fmt::Debug,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{Lease, Owner, StoreError, Version};
use zeroize::Zeroizing;

/// A database that keeps rows. Each method is that of the same name in
/// [`TokenStore`](oauth_core::store::TokenStore), and promises the same.
#[async_trait]
pub trait Backend: Debug + Send + Sync + 'static {
    /// The row of `owner`, if there is one.
    ///
    /// # Errors
    /// When the database cannot be asked, or the row cannot be read.
    async fn load(&self, owner: &Owner) -> Result<Option<Row>, StoreError>;

    /// Writes the row of `owner` in one step and gives it a version never used before. `replaces`
    /// is the version that must be stored now; `None` means that there must be no row. With a
    /// `lease`, the lease must be the newest of its name: it may have run out, but nobody else may
    /// have had it since.
    ///
    /// # Errors
    /// `Fenced`, which is checked first, and `Conflict`, as said; otherwise when the row may not
    /// have been kept.
    async fn save(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError>;

    /// Writes the bytes of the same record sealed anew, and leaves its version and times as they
    /// are: who is about to replace the record still can. Whether `version` was still stored.
    ///
    /// # Errors
    /// When the row may not have been kept.
    async fn reseal(
        &self,
        owner: &Owner,
        sealed: &Sealed,
        version: Version,
    ) -> Result<bool, StoreError>;

    /// Removes the row of `owner`, whatever its version; whether there was one.
    ///
    /// # Errors
    /// When it may still be there.
    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError>;

    /// Removes every row; how many there were. Versions are still never given twice.
    ///
    /// # Errors
    /// When some may still be there.
    async fn clear(&self) -> Result<u64, StoreError>;

    /// Takes the lease `name` for `ttl`, unless somebody has it: `None`. Time is the database's
    /// own, and one that processes share.
    ///
    /// # Errors
    /// When the database cannot be asked.
    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Gives a lease back before it runs out. One that was lost is no error.
    ///
    /// # Errors
    /// When the database cannot be asked.
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// At most `limit` owners whose [`Sealed::refresh_at`] is before `before`, the earliest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError>;

    /// Removes at most `limit` rows whose [`Sealed::dead_at`] is before `before`; how many.
    ///
    /// # Errors
    /// When the database cannot be asked.
    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError>;

    /// At most `limit` owners after `after`, in an order that stays the same. Only a page at the end
    /// is without one: names that cannot be read hide no others.
    ///
    /// # Errors
    /// When the database cannot be asked.
    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Owners, StoreError>;
}

/// A page of [`Backend::owners`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owners {
    /// Those whose names can be read.
    pub owners: Vec<Owner>,
    /// How many rows before the last of them, or up to the end if there is none, have a name that
    /// cannot be read.
    pub damaged: u64,
}

impl From<Vec<Owner>> for Owners {
    fn from(owners: Vec<Owner>) -> Self {
        Self { owners, damaged: 0 }
    }
}

/// A record as a database keeps it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// The record: JSON in clear, or sealed with a key.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Which key it is sealed with; `None` in clear.
    pub key_id: Option<Box<str>>,
    /// [`Record::refresh_at`](oauth_core::store::Record::refresh_at).
    pub refresh_at: Option<SystemTime>,
    /// [`Record::dead_at`](oauth_core::store::Record::dead_at).
    pub dead_at: Option<SystemTime>,
}

/// A sealed record and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// What is kept.
    pub sealed: Sealed,
    /// What a save names to replace it.
    pub version: Version,
}

impl Sealed {
    /// These bytes, sealed with this key (`None`: in clear), that neither end nor are due.
    #[must_use]
    pub fn new(bytes: Vec<u8>, key_id: Option<Box<str>>) -> Self {
        Self {
            bytes: Zeroizing::new(bytes),
            key_id,
            refresh_at: None,
            dead_at: None,
        }
    }

    /// Due at `refresh_at`, worthless from `dead_at` on.
    #[must_use]
    pub fn with_times(
        mut self,
        refresh_at: Option<SystemTime>,
        dead_at: Option<SystemTime>,
    ) -> Self {
        self.refresh_at = refresh_at;
        self.dead_at = dead_at;
        self
    }
}

impl Row {
    /// `sealed` as it was kept under `version`.
    #[must_use]
    pub fn new(sealed: Sealed, version: Version) -> Self {
        Self { sealed, version }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("bytes", &format_args!("{}", self.bytes.len()))
            .field("key_id", &self.key_id)
            .field("refresh_at", &self.refresh_at)
            .field("dead_at", &self.dead_at)
            .finish()
    }
}
