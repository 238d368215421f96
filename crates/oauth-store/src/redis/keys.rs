//! What is where in Redis.

use oauth_core::store::Owner;

use crate::owner_name;

/// The keys of one store. All have the same hash tag.
pub(super) struct Keys {
    /// What the key of a record begins with; the name of its owner is the rest.
    pub(super) record: String,
    lease: Vec<u8>,
    /// Which version of this library's layout it is.
    pub(super) schema: Vec<u8>,
    /// The last number given out.
    pub(super) number: Vec<u8>,
    /// Owners by when their tokens are to be refreshed.
    pub(super) due: Vec<u8>,
    /// Owners by when their records are dead.
    pub(super) dead: Vec<u8>,
    /// All owners.
    pub(super) owners: Vec<u8>,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let text = |name| format!("{{{prefix}}}:{name}");
        let key = |name| text(name).into_bytes();
        Self {
            record: text("record:"),
            lease: key("lease:"),
            schema: key("schema"),
            number: key("number"),
            due: key("due"),
            dead: key("dead"),
            owners: key("owners"),
        }
    }

    /// The name of `owner` in the indexes, and the key of their record.
    pub(super) fn of(&self, owner: &Owner) -> (Vec<u8>, Vec<u8>) {
        let key = self.record_of(owner);
        (key[self.record.len()..].to_vec(), key)
    }

    /// The key of the record of `owner`.
    pub(super) fn record_of(&self, owner: &Owner) -> Vec<u8> {
        let mut key = self.record.clone();
        owner_name::append(&mut key, owner);
        key.into_bytes()
    }

    pub(super) fn lease(&self, name: &str) -> Vec<u8> {
        [&self.lease[..], name.as_bytes()].concat()
    }
}
