//! Counts allocations, in a program of its own: counting makes every allocation slower, which
//! would be unfair to those that allocate.

use std::alloc::System;

use peers::{cached, keyed};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    cached::allocations(count);
    keyed::allocations(count);
}

/// Allocations and bytes so far.
fn count() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    (
        stats.allocations + stats.reallocations,
        stats.bytes_allocated,
    )
}
