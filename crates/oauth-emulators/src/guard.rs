//! Locks that a panicking test cannot poison for the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded here is never left half-changed: every critical section is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
