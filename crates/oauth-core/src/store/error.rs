//! What can go wrong with a store, sorted by what can be done about it.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Down, cut off, too slow, full: later it may work.
    Unavailable,
    /// Another version is stored than the one to be replaced: load again.
    Conflict,
    /// The lease ran out and somebody else has had it since: load again.
    Fenced,
    /// What is stored cannot be read: damaged, of a later version, or encrypted with another key.
    Unreadable,
    /// The store is set up in a way that cannot work: rights, address, settings.
    Configuration,
}

/// A failure of a store. Its texts name no token and no key.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// A failure of this kind; `message` says what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the driver's error. Its text must hold nothing of a record.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}
