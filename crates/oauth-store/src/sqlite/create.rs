//! A new file appears under its name whole, or not at all: an empty one was cut, never made.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use oauth_core::{
    random::{OsRandom, Random},
    store::{StoreError, StoreErrorKind},
};

use super::{error, file, schema};

/// Makes an empty store at `path`, unless another process has just done so.
pub(super) fn file(path: &Path) -> Result<(), StoreError> {
    let failed = |error| file::failed(path, error);
    let new = Unfinished::beside(path)?;
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
    /// An empty file beside `path` whose name nobody else uses. A process's id would not do: two
    /// containers that share the folder can have the same.
    fn beside(path: &Path) -> Result<Self, StoreError> {
        let mut name = [0; 16];
        OsRandom.fill(&mut name).map_err(|error| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                "there is no randomness to name a new token store with",
            )
            .with_source(error)
        })?;
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".new-{:032x}", u128::from_ne_bytes(name)));
        let new = PathBuf::from(new);
        own(&new).map_err(|error| file::failed(path, error))?;
        Ok(Self(new))
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
    fs::File::create_new(path).map(drop)
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
