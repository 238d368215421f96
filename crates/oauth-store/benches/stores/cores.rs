//! Which cores a measurement, and the servers that it starts, run on.

/// Runs `measure`, with one task on one core. Beside a second core, most of what a task alone waits for
/// is threads and processes being woken there, or luckily here: the same store is two or three times as
/// fast in one second as in the next.
#[cfg(target_os = "linux")]
pub(super) fn with(tasks: usize, measure: impl FnOnce()) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let all = sched_getaffinity(None).unwrap();
    let any = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu));
    if tasks == 1 {
        let mut one = CpuSet::new();
        one.set(any.unwrap());
        sched_setaffinity(None, &one).unwrap();
    }
    measure();
    sched_setaffinity(None, &all).unwrap();
}

/// Elsewhere no core is asked for.
#[cfg(not(target_os = "linux"))]
pub(super) fn with(_: usize, measure: impl FnOnce()) {
    measure();
}
