//! The marker file: one line that says whose directory this is and which format it has.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anabranch_engine::store::{StoreError, StoreErrorKind};

use crate::directory::{io_error, sync_dir};

/// Name of the marker.
pub(crate) const MARKER: &str = "ANABRANCH";

/// Name of the marker while it is written.
pub(crate) const MARKER_NEW: &str = "ANABRANCH.new";

/// The format this version reads and writes.
pub(crate) const FORMAT: u64 = 2;

const BEFORE: &str = "anabranch data directory, format ";

/// More bytes than any marker has: a foreign file of that name may be huge.
const READ_LIMIT: u64 = 256;

/// Whether `dir` has a marker that this version understands.
///
/// # Errors
/// `NewerFormat`, `Corrupt` (ours, but damaged), `Foreign` (not ours) or `Io`.
pub(crate) fn read(dir: &Path) -> Result<bool, StoreError> {
    let path = dir.join(MARKER);
    let mut bytes = Vec::new();
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(foreign(&path, "is no regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_error(&path, &error)),
    }
    let file = File::open(&path).map_err(|error| io_error(&path, &error))?;
    file.take(READ_LIMIT).read_to_end(&mut bytes).map_err(|error| io_error(&path, &error))?;
    let Some(rest) = bytes.strip_prefix(BEFORE.as_bytes()) else {
        return Err(foreign(&path, "is not the marker of an Anabranch data directory"));
    };
    let format = std::str::from_utf8(rest).ok().and_then(|rest| rest.strip_suffix('\n')).and_then(number);
    match format {
        Some(FORMAT) => Ok(true),
        Some(newer) if newer > FORMAT => Err(StoreError::new(
            StoreErrorKind::NewerFormat,
            format!("{} has format {newer}, this version knows formats up to {FORMAT}", dir.display()),
        )),
        Some(older @ 1..) => Err(StoreError::new(
            StoreErrorKind::Foreign,
            format!(
                "{} has format {older}, of a version before the first release, which is read no more",
                dir.display()
            ),
        )),
        _ => Err(StoreError::corrupt(format!("{} has no valid format number", path.display()))),
    }
}

/// Digits only: `parse` alone would take "+1".
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Writes the marker: after a crash it is there whole or not at all.
///
/// # Errors
/// `Io`, with the path.
pub(crate) fn write(dir: &Path) -> Result<(), StoreError> {
    let new = dir.join(MARKER_NEW);
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(format!("{BEFORE}{FORMAT}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, dir.join(MARKER))
    };
    write().map_err(|error| io_error(&new, &error))?;
    sync_dir(dir)
}

fn foreign(path: &Path, why: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Foreign, format!("{} {why}", path.display()))
}
