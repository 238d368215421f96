//! What a driver said, without what it was told: drivers and servers repeat rows in their errors.

use std::{error::Error as StdError, fmt};

/// The text of a driver's error that is safe to show.
#[derive(Debug)]
pub(crate) struct Cause(pub(crate) String);

impl Cause {
    /// The error and all under it, for errors that know nothing of rows.
    pub(crate) fn chain(error: &dyn StdError) -> Self {
        let mut text = error.to_string();
        let mut under = error.source();
        while let Some(error) = under {
            let deeper = error.to_string();
            // Some say what is under them.
            if !text.ends_with(&deeper) {
                text.push_str(": ");
                text.push_str(&deeper);
            }
            under = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}
