//! Databases that were filled before. They are filled once and then used in all runs, for that can take minutes.

use super::{disk, local};
use crate::setting::Setting;
use anabranch::Database;
use std::path::{Path, PathBuf};

/// The folder of a database of so many keys, closed after the last was written.
pub fn closed(setting: &Setting, keys: u64) -> anyhow::Result<PathBuf> {
    once(setting.dir.join(format!("closed-{keys}")), |path| fill(path, keys))
}

/// The folder of a database of so many keys, with all of them in merged tables.
pub fn merged(setting: &Setting, keys: u64) -> anyhow::Result<PathBuf> {
    once(setting.dir.join(format!("merged-{keys}")), |path| {
        fill(path, keys)?;
        disk::settle(path)
    })
}

fn once(path: PathBuf, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        let new = path.with_extension("new");
        make(&new)?;
        std::fs::rename(&new, &path)?;
    }
    Ok(path)
}

fn fill(path: &Path, keys: u64) -> anyhow::Result<()> {
    let db = Database::open(path)?;
    local::fill(&db, (0..keys).map(local::distinct).map(|(key, text)| local::put(key, text)))?;
    db.close();
    Ok(())
}
