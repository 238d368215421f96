//! A new file appears under its name whole, or not at all: an empty one was cut, never made.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use oauth_core::store::StoreError;

use super::{error, file, schema};

/// Makes an empty store at `path`, unless another process has just done so.
pub(super) fn file(path: &Path) -> Result<(), StoreError> {
    let new = Unfinished::at(path);
    let failed = |error| file::failed(path, error);
    own(&new.0).map_err(failed)?;
    fill(&new.0).map_err(|error| error::explain(error, path))?;
    let linked = match fs::hard_link(&new.0, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    linked.and_then(|()| sync_folder(path)).map_err(failed)
}

/// A file that is removed when it is done with.
struct Unfinished(PathBuf);

impl Unfinished {
    /// A name beside `path` that no other call uses: those of one process count, and two processes
    /// have two ids.
    fn at(path: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".new-{}-{count}", std::process::id()));
        Self(name.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Left behind, it is an empty store that nobody looks for.
        let _ = fs::remove_file(&self.0);
    }
}

fn fill(path: &Path) -> Result<(), rusqlite::Error> {
    let mut sql = rusqlite::Connection::open(path)?;
    // Kept in the file: whoever opens it need not ask for it.
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    schema::migrate(&mut sql, 0)?;
    // Closing moves what is in the log into the file and syncs it.
    sql.close().map_err(|(_, error)| error)
}

#[cfg(unix)]
fn own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    // What a process with the same id, long gone, has left behind.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // The umask may have taken rights away that we need.
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn own(path: &Path) -> io::Result<()> {
    fs::File::create(path).map(drop)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
