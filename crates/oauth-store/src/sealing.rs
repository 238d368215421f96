//! From a backend to a token store: what the bytes of a row are.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{
    Lease, Owner, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version,
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::backend::{Backend, Sealed};

/// Turns records into bytes and back.
pub trait Sealing: Debug + Send + Sync + 'static {
    /// `record` as it is to be kept for `owner`.
    ///
    /// # Errors
    /// When it cannot be sealed; nothing is written then.
    fn seal(&self, owner: &Owner, record: &Record) -> Result<Sealed, StoreError>;

    /// The record that was kept for `owner`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unreadable`] when it is damaged, another owner's, or sealed otherwise.
    fn open(&self, owner: &Owner, sealed: Sealed) -> Result<Record, StoreError>;
}

/// A token store over a backend: `B` keeps what `S` made of the records.
#[derive(Debug, Clone)]
pub struct Store<B, S> {
    pub(crate) backend: B,
    pub(crate) sealing: S,
}

/// A token store that keeps its records in clear, for databases whose every copy is as safe as the
/// tokens must be.
pub type Plaintext<B> = Store<B, Clear>;

/// Records as JSON, in clear.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Clear;

impl<B: Backend> Plaintext<B> {
    /// Keeps records in `backend` in clear.
    pub fn new(backend: B) -> Self {
        Self {
            backend,
            sealing: Clear,
        }
    }
}

impl<B, S> Store<B, S> {
    /// The database underneath.
    pub fn backend(&self) -> &B {
        &self.backend
    }
}

impl Sealing for Clear {
    fn seal(&self, _: &Owner, record: &Record) -> Result<Sealed, StoreError> {
        let json = record.to_json().expose_secret().as_bytes().to_vec();
        Ok(Sealed::new(json, None).with_times(record.refresh_at(), record.dead_at()))
    }

    fn open(&self, _: &Owner, mut sealed: Sealed) -> Result<Record, StoreError> {
        if let Some(key) = &sealed.key_id {
            return Err(StoreError::new(
                StoreErrorKind::Unreadable,
                format!(
                    "a record in the store is sealed with the key {key:?}; open the store with it"
                ),
            ));
        }
        from_bytes(std::mem::take(&mut *sealed.bytes))
    }
}

/// The record in `bytes`, which become the text that is wiped afterwards.
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Result<Record, StoreError> {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        // No JSON: reading it gives the error of a damaged record.
        String::new()
    });
    Record::from_json(&SecretString::from(text))
}

#[async_trait]
impl<B: Backend, S: Sealing> TokenStore for Store<B, S> {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        let Some(row) = self.backend.load(owner).await? else {
            return Ok(None);
        };
        let record = self.sealing.open(owner, row.sealed)?;
        Ok(Some(Stored::new(record, row.version)))
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let sealed = self.sealing.seal(owner, record)?;
        self.backend.save(owner, &sealed, replaces, lease).await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.backend.remove(owner).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.backend.clear().await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.backend.lease(name, ttl).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.backend.release(lease).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.backend.due(before, limit).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.backend.purge(before, limit).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        Ok(self.backend.owners(after, limit).await?.owners)
    }
}
