//! What runs inside of Redis: whole, and with nothing in between.

use redis::Script;

/// The scripts, with the hashes they are called by.
pub(super) struct Scripts {
    pub(super) save: Named,
    pub(super) reseal: Named,
    pub(super) remove: Named,
    pub(super) purge: Named,
    pub(super) lease: Named,
    pub(super) release: Named,
}

/// A script that the server may already know.
pub(super) struct Named {
    pub(super) hash: String,
    pub(super) text: &'static str,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            save: Named::new(concat!(
                include_str!("number.lua"),
                include_str!("save.lua")
            )),
            reseal: Named::new(include_str!("reseal.lua")),
            remove: Named::new(include_str!("remove.lua")),
            purge: Named::new(include_str!("purge.lua")),
            lease: Named::new(concat!(
                include_str!("number.lua"),
                include_str!("lease.lua")
            )),
            release: Named::new(include_str!("release.lua")),
        }
    }
}

impl Named {
    fn new(text: &'static str) -> Self {
        Self {
            hash: Script::new(text).get_hash().to_owned(),
            text,
        }
    }
}
