//! The data directory: whose it is, that only one process has it open, and where the store lies in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anabranch_engine::store::{StoreError, StoreErrorKind};

use crate::marker::{self, MARKER, MARKER_NEW};

const LOCK: &str = "lock";
const STORE: &str = "store";
const STORE_NEW: &str = "store.new";

/// What may lie in a directory without a marker: leftovers of a creation that a crash ended.
const BEFORE_MARKER: [&str; 2] = [LOCK, MARKER_NEW];

/// What may lie in a directory with a marker.
const AFTER_MARKER: [&str; 5] = [LOCK, MARKER_NEW, MARKER, STORE, STORE_NEW];

/// An opened data directory. It belongs to this value until it is dropped: the lock ends with it.
///
/// | entry | |
/// |---|---|
/// | `ANABRANCH` | marker: `anabranch data directory, format 2` and a line feed |
/// | `lock` | locked while a process has the directory open; says nothing by its mere existence |
/// | `store/` | the rows (`rows/`) and the log (`log/`) |
/// | `ANABRANCH.new`, `store.new/` | the same during creation; leftovers of a crash are replaced |
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Held, never read: closing it releases the lock.
    _lock: File,
}

impl DataDir {
    /// Opens `path`, creating it (and its parents, all with mode 0700) where it is missing. The marker is durable when
    /// this returns.
    ///
    /// # Errors
    /// `InUse` when it is open already, here or in another process; `Foreign` when `path` is no directory or a symbolic link, or
    /// holds an entry that is not ours or a link (the message names the first by name); `NewerFormat` or `Corrupt` for the marker; `Io`.
    /// Unless the error is `InUse` or `Io`, nothing was modified.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|error| io_error(path, &error))?;
        // With a slash at its end, a link would be followed.
        let path: PathBuf = path.components().collect();
        create(&path)?;
        inspect(&path)?;
        let lock = lock(&path)?;
        // Again, as another process may have been at it until now.
        if !inspect(&path)? {
            marker::write(&path)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store lies. It exists only when it was created to the end.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// An empty place to create the store in; [`DataDir::publish_store`] makes it the store.
    ///
    /// # Errors
    /// `Io` when the leftovers of an earlier creation cannot be removed.
    #[cfg(feature = "disk")]
    pub(crate) fn store_new(&self) -> Result<PathBuf, StoreError> {
        let path = self.path.join(STORE_NEW);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path, &error)),
            _ => Ok(path),
        }
    }

    /// Makes what was created in [`DataDir::store_new`] the store, in one durable step.
    ///
    /// # Errors
    /// `Io`.
    #[cfg(feature = "disk")]
    pub(crate) fn publish_store(&self) -> Result<(), StoreError> {
        let from = self.path.join(STORE_NEW);
        fs::rename(&from, self.store()).map_err(|error| io_error(&from, &error))?;
        sync_dir(&self.path)
    }
}

/// Creates the directory and what is missing above it, durably.
fn create(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(meta) if meta.is_symlink() => return Err(link(path)),
        Ok(_) => {
            let what = format!("{} is a file, a directory is needed", path.display());
            return Err(StoreError::new(StoreErrorKind::Foreign, what));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io_error(path, &error)),
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| io_error(path, &error))?;
    missing.iter().filter_map(|made| made.parent()).try_for_each(sync_dir)
}

/// Whether the directory has a marker; fails when something in it is not ours. Only reads.
fn inspect(path: &Path) -> Result<bool, StoreError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| io_error(path, &error))? {
        let entry = entry.map_err(|error| io_error(path, &error))?;
        entries.push((entry.file_name(), entry.file_type().map_err(|error| io_error(&entry.path(), &error))?));
    }
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    // Another creator renames the marker into place between two looks: then `names` may not have it yet.
    let marked = marker::read(path)?;
    let ours: &[&str] = if marked { &AFTER_MARKER } else { &BEFORE_MARKER };
    for (name, kind) in &entries {
        let entry = path.join(name);
        if !ours.iter().any(|known| name == known) {
            let (dir, name) = (path.display(), Path::new(name).display());
            return Err(StoreError::new(
                StoreErrorKind::Foreign,
                format!("{dir} holds {name}, which does not belong there"),
            ));
        }
        if kind.is_symlink() {
            return Err(link(&entry));
        }
        if kind.is_dir() != (name == STORE || name == STORE_NEW) {
            let needed = if kind.is_dir() { "is a directory, a file" } else { "is a file, a directory" };
            return Err(StoreError::new(StoreErrorKind::Foreign, format!("{} {needed} is needed", entry.display())));
        }
    }
    Ok(marked)
}

/// What a link leads to may be anybody's, and something else tomorrow.
fn link(path: &Path) -> StoreError {
    let what = format!("{} is a symbolic link: name the directory itself, and let it hold no links", path.display());
    StoreError::new(StoreErrorKind::Foreign, what)
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| io_error(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::new(StoreErrorKind::InUse, format!("{} is open already", dir.display())))
        }
        Err(TryLockError::Error(error)) => Err(io_error(&path, &error)),
    }
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    // Elsewhere a directory cannot be opened as a file; the file system keeps the order by itself.
    if cfg!(unix) {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| io_error(path, &error))?;
    }
    Ok(())
}

/// An error of the operating system, with the path it is about.
pub(crate) fn io_error(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Io, format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[path = "directory_test.rs"]
mod tests;
