//! The seed of a run: whatever the suite draws comes from it, so that a run can be had again.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use oauth_core::{Error, random::Random};

/// A run's seed. The order of the cases, the points at which the [proxy](crate::FaultProxy) breaks
/// an answer, and every `state`, verifier and jitter of the suite's clients come from it. Ports and
/// which of two concurrent cases ends first do not; nor do the tokens of a counterpart.
///
/// ```
/// use oauth_conformance::Seed;
///
/// let seed: Seed = "42".parse().unwrap();
/// let draws = || {
///     let mut draw = seed.of("RSP-03 on twitch").draw();
///     [draw.below(1000), draw.below(1000)]
/// };
/// assert_eq!(draws(), draws());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// A seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a part of the run, for instance of a case on a target: the same for the same
    /// `name`, however many other parts there are.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        // FNV-1a, then the mixer: names that differ in one letter are far apart.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mix(self.0 ^ hash))
    }

    /// Numbers drawn from this seed.
    #[must_use]
    pub fn draw(self) -> Draw {
        Draw(self.0)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Numbers drawn from a [`Seed`]; good for tests, for no secret.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// A number below `end`; 0 where there is none below.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// Puts `items` into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// The randomness of a case's clients.
#[derive(Debug)]
pub(crate) struct SeededRandom(AtomicU64);

impl SeededRandom {
    pub(crate) fn new(seed: Seed) -> Self {
        Self(AtomicU64::new(seed.0))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        for chunk in bytes.chunks_mut(8) {
            let state = self.0.fetch_add(STEP, Ordering::Relaxed);
            chunk.copy_from_slice(&mix(state.wrapping_add(STEP)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_another_something_else() {
        let order = |seed: u64| {
            let mut items: Vec<usize> = (0..100).collect();
            Seed::new(seed).of("order").draw().shuffle(&mut items);
            items
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let bytes = |seed: u64, name: &str| {
            let mut bytes = [0; 33];
            let random = SeededRandom::new(Seed::new(seed).of(name));
            random.fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1, "a"), bytes(1, "a"));
        assert_ne!(bytes(1, "a"), bytes(2, "a"));
        assert_ne!(bytes(1, "a"), bytes(1, "b"));
    }
}
