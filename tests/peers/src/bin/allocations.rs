//! Counts allocations, in a program of its own: counting makes every allocation slower, which
//! would be unfair to those that allocate.

use std::alloc::System;

use peers::cached;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    cached::allocations(|| {
        let stats = ALLOCATOR.stats();
        (
            stats.allocations + stats.reallocations,
            stats.bytes_allocated,
        )
    });
}
