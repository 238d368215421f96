//! Who may use a store's key, and who may change it, among all processes. The right ends when the file
//! is dropped, and with the process.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

use super::with_suffix;
use crate::failure::Failure;

/// The right to use the key, which many may have.
pub(super) async fn shared(path: &Path) -> Result<File, Failure> {
    let file = lock_file(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(unlockable(&error)),
        Err(TryLockError::WouldBlock) => waited(move || file.lock_shared().map(|()| file)).await,
    }
}

/// The right to change the key, which nobody has beside another. `wait` is called before it is
/// waited for.
pub(super) async fn alone(path: &Path, wait: impl FnOnce()) -> Result<File, Failure> {
    let file = lock_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(unlockable(&error)),
        Err(TryLockError::WouldBlock) => {
            wait();
            waited(move || file.lock().map(|()| file)).await
        }
    }
}

async fn waited(lock: impl FnOnce() -> io::Result<File> + Send + 'static) -> Result<File, Failure> {
    match tokio::task::spawn_blocking(lock).await {
        Ok(locked) => locked.map_err(|error| unlockable(&error)),
        Err(_) => Err(Failure::store("the store's key cannot be locked")),
    }
}

fn lock_file(path: &Path) -> Result<File, Failure> {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .create(true)
        .truncate(false)
        .write(true)
        .open(with_suffix(path, ".lock"))
        .map_err(|error| unlockable(&error))
}

fn unlockable(error: &io::Error) -> Failure {
    Failure::store(format!("the store's key cannot be locked: {error}"))
}
