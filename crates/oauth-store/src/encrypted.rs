//! Records sealed with a key that the database does not have.
//!
//! Each record is sealed with XChaCha20-Poly1305 under a random nonce of 192 bits. Its owner and
//! the key's id are associated data: a row moved to another owner, or said to be sealed with
//! another key, does not open. What stays in clear is what the database sorts by: owner, times,
//! version, key id; and the length. Somebody who can write in the database can still put an
//! earlier record of the same owner back, or remove it.
//!
//! ```
//! use oauth_core::random::OsRandom;
//! use oauth_store::{Encrypted, Key, Keys, sqlite::Sqlite};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("tokens.db");
//! let (old, new) = (Key::generate("2026", &OsRandom)?, Key::generate("2027", &OsRandom)?);
//! // The first key seals; all of them open.
//! let store = Encrypted::new(Sqlite::open(path).await?, Keys::new(new).and(old)?);
//! // Afterwards nothing is sealed with the old key any more, and it can be left out.
//! let rotated = store.rotate(500).await?;
//! assert!(rotated.unreadable.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cipher;
mod keys;

use oauth_core::store::{Owner, Record, StoreError, StoreErrorKind};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

pub use keys::{Key, Keys};

use crate::{
    backend::{Backend, Sealed},
    sealing::{Clear, Sealing, Store, from_bytes},
};

/// A token store whose records are sealed with the first of its [`Keys`].
pub type Encrypted<B> = Store<B, Keys>;

/// What [`Encrypted::rotate`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// How many records are now sealed with the first key that were not before.
    pub sealed: u64,
    /// Whose records no key opens. They were left as they are.
    pub unreadable: Vec<Owner>,
    /// How many rows have an owner's name that cannot be read. Nobody can load them; they were left
    /// as they are.
    pub damaged: u64,
}

/// How what is sealed is laid out: this byte, the nonce, the sealed record with its tag.
const FORMAT: u8 = 1;
const NONCE: usize = cipher::NONCE;

impl<B: Backend> Encrypted<B> {
    /// Keeps records in `backend`, sealed.
    pub fn new(backend: B, keys: Keys) -> Self {
        Self {
            backend,
            sealing: keys,
        }
    }

    /// Seals every record with the first key, `batch` owners at a time, while the store is in use:
    /// versions stay as they are, and what others save meanwhile is theirs to seal. Every process
    /// must have the new key before, and seal with it once this has begun. It can be broken off and
    /// begun anew at any time.
    ///
    /// # Errors
    /// When the store cannot be asked, or no randomness is to be had.
    pub async fn rotate(&self, batch: usize) -> Result<Rotated, StoreError> {
        let mut rotated = Rotated::default();
        let mut after = None;
        loop {
            let page = self.backend.owners(after.as_ref(), batch.max(1)).await?;
            rotated.damaged += page.damaged;
            for owner in &page.owners {
                match self.rotate_one(owner).await {
                    Ok(sealed) => rotated.sealed += u64::from(sealed),
                    Err(error) if error.kind() == StoreErrorKind::Unreadable => {
                        rotated.unreadable.push(owner.clone());
                    }
                    Err(error) => return Err(error),
                }
            }
            after = match page.owners.into_iter().next_back() {
                Some(last) => Some(last),
                None => return Ok(rotated),
            };
        }
    }

    async fn rotate_one(&self, owner: &Owner) -> Result<bool, StoreError> {
        // Another process may save at any time; if it seals with an older key, once more.
        while let Some(row) = self.backend.load(owner).await? {
            if self.sealing.is_newest(row.sealed.key_id.as_deref()) {
                return Ok(false);
            }
            let clear = self.sealing.reveal(owner, row.sealed)?;
            let sealed = self.sealing.conceal(owner, clear)?;
            if self.backend.reseal(owner, &sealed, row.version).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Sealing for Keys {
    fn seal(&self, owner: &Owner, record: &Record) -> Result<Sealed, StoreError> {
        self.conceal(owner, Clear.seal(owner, record)?)
    }

    fn open(&self, owner: &Owner, sealed: Sealed) -> Result<Record, StoreError> {
        let mut clear = self.reveal(owner, sealed)?;
        from_bytes(std::mem::take(&mut *clear.bytes))
    }
}

impl Keys {
    /// Seals what is in clear.
    fn conceal(&self, owner: &Owner, clear: Sealed) -> Result<Sealed, StoreError> {
        let key = self.first();
        let mut nonce = [0; NONCE];
        self.random().fill(&mut nonce).map_err(|_| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "there is no randomness to seal a record with; nothing was written",
            )
        })?;
        let mut bytes = Vec::with_capacity(1 + NONCE + clear.bytes.len() + cipher::TAG);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&clear.bytes);
        let mut bytes = Zeroizing::new(bytes);
        let data = associated(owner, key.id());
        let tag = cipher::seal(
            key.secret().expose_secret(),
            &nonce,
            &data,
            &mut bytes[1 + NONCE..],
        );
        let tag = tag.ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Configuration,
                "the record is too long to be sealed",
            )
        })?;
        bytes.extend_from_slice(&tag);
        Ok(Sealed {
            bytes,
            key_id: Some(key.id().into()),
            ..clear
        })
    }

    /// Opens what is sealed, or passes on what is in clear if that is allowed.
    fn reveal(&self, owner: &Owner, mut sealed: Sealed) -> Result<Sealed, StoreError> {
        let Some(id) = sealed.key_id.as_deref() else {
            return match self.opens_plaintext() {
                true => Ok(sealed),
                false => Err(unreadable(
                    "a record in the store is in clear, where only sealed ones are allowed"
                        .to_owned(),
                )),
            };
        };
        let key = self.find(id).ok_or_else(|| {
            unreadable(format!("a record in the store is sealed with the key {id:?}, which is not among the keys given"))
        })?;
        let damaged = || {
            unreadable(format!(
                "a record in the store does not open: it is damaged, another owner's, or {id:?} is another key than the one it was sealed with"
            ))
        };
        let (&format, rest) = sealed.bytes.split_first().ok_or_else(damaged)?;
        if format != FORMAT {
            return Err(unreadable(
                "a record in the store was sealed by a later version of this library; use that version".to_owned(),
            ));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let data = associated(owner, id);
        let text = cipher::open(key.secret().expose_secret(), nonce, &data, rest);
        let bytes = text.ok_or_else(damaged)?;
        // What is sealed need not be wiped.
        drop(std::mem::take(&mut *sealed.bytes));
        Ok(Sealed {
            bytes,
            key_id: None,
            ..sealed
        })
    }
}

/// What is sealed along: each part with its length, so that no two owners are written alike.
fn associated(owner: &Owner, key_id: &str) -> Vec<u8> {
    let user = owner.subject().user_id();
    let kind = if user.is_some() { "user" } else { "client" };
    let parts = [
        key_id,
        owner.issuer(),
        owner.client_id(),
        kind,
        user.unwrap_or_default(),
    ];
    let length: usize = parts.iter().map(|part| size_of::<u64>() + part.len()).sum();
    let mut data = Vec::with_capacity(1 + length);
    data.push(FORMAT);
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_le_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

fn unreadable(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unreadable, message)
}
