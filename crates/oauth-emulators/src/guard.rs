//! Locks that a panicking test cannot poison for the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left behind is still a whole collection or setting, if not the newest.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
