//! The source of everything that must not be guessed.

use std::fmt;

use crate::ContextError;

/// Gives random bytes for tokens, codes and salts.
///
/// What it gives decides whether tokens can be guessed: outside of tests only a cryptographic
/// generator will do.
pub trait Random: fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// When no randomness is to be had; the request is then answered with 503.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ContextError>;
}

/// The operating system's generator, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ContextError> {
        getrandom::fill(bytes)
            .map_err(|error| ContextError::new("no randomness").with_source(error))
    }
}
