//! Who else could read or replace the file: nobody, or it is not opened.
//!
//! The file is looked at, never opened: closing a file ends all locks that the process has on it,
//! those of other connections included (POSIX). What is looked at stays what it is, because nobody
//! else may write in its folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use oauth_core::store::{StoreError, StoreErrorKind};

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// `path` with its folder resolved, made if need be with mode 0700, and checked.
pub(super) fn path(path: &Path) -> Result<PathBuf, StoreError> {
    let Some(name) = path.file_name() else {
        return Err(refuse(path, "is no file's name"));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error| failed(folder, error);
    if !folder.try_exists().map_err(failed)? {
        make_folder(folder).map_err(failed)?;
    }
    let folder = folder.canonicalize().map_err(failed)?;
    check_folder(&folder, &fs::metadata(&folder).map_err(failed)?)?;
    Ok(folder.join(name))
}

/// Which file is at `path`, if there is one.
pub(super) fn identity(path: &Path) -> Result<Option<Identity>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(identity_of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// Checks the file, and those that SQLite puts beside it.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        let beside = Path::new(&beside);
        match fs::symlink_metadata(beside) {
            Ok(metadata) => check_file(beside, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(beside, error)),
        }
    }
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        return Err(StoreError::new(
            StoreErrorKind::Unreadable,
            format!(
                "the token store {} is empty, which it never was when it was made: put a backup in its place, or remove it to start with a new one",
                path.display()
            ),
        ));
    }
    Ok(())
}

fn check_file(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    if metadata.is_symlink() {
        return Err(refuse(path, "is a symbolic link; name the file itself"));
    }
    if !metadata.is_file() {
        return Err(refuse(path, "is no regular file"));
    }
    check_rights(path, metadata)
}

#[cfg(unix)]
fn check_rights(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse(path, "belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refuse(
            path,
            "may be read or written by others; take that right away (chmod 600), and think of what they have read",
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn check_folder(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    if !metadata.is_dir() {
        return Err(refuse(path, "is no folder"));
    }
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me && metadata.uid() != 0 {
        return Err(refuse(path, "is a folder of another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse(
            path,
            "is a folder in which others may write; take a folder of your own (chmod 700)",
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // The umask may have taken rights away that we need.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(unix)]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

// Elsewhere rights are inherited from the folder, which is the user's own to protect.
#[cfg(not(unix))]
fn check_rights(_: &Path, _: &fs::Metadata) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_folder(_: &Path, _: &fs::Metadata) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn identity_of(_: &fs::Metadata) -> Identity {
    Identity {
        device: 0,
        inode: 0,
    }
}

fn refuse(path: &Path, why: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Configuration,
        format!("{} cannot hold tokens: it {why}", path.display()),
    )
}

pub(super) fn failed(path: &Path, error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        // A file system without links, on which no store can be made.
        | io::ErrorKind::Unsupported
        | io::ErrorKind::NotADirectory => StoreErrorKind::Configuration,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(
        kind,
        format!("the token store cannot be reached at {}", path.display()),
    )
    .with_source(error)
}
