//! Counts allocations, in a program of its own: counting makes every allocation slower, which
//! would be unfair to those that allocate.

use allocation_counter::measure;
use peers::{cached, keyed};

fn main() {
    cached::allocations(count);
    keyed::allocations(count);
}

/// The allocations of `run` and their bytes. What other threads allocate meanwhile, an endpoint's
/// or a runtime's, does not count.
fn count(run: &mut dyn FnMut()) -> (u64, u64) {
    let counted = measure(run);
    (counted.count_total, counted.bytes_total)
}
