//! Databases that were filled before.

use super::{disk, local};
use crate::setting::Setting;
use anabranch::Database;
use std::path::PathBuf;

/// The folder of a database of so many keys, merged and closed. It is filled once and then used in all runs, for that can take minutes.
pub fn folder(setting: &Setting, keys: u64) -> anyhow::Result<PathBuf> {
    let path = setting.dir.join(format!("grown-{keys}"));
    if !path.exists() {
        let new = path.with_extension("new");
        let db = Database::open(&new)?;
        local::fill(&db, (0..keys).map(local::distinct).map(|(key, text)| local::put(key, text)))?;
        db.close();
        drop(db);
        disk::settle(&new)?;
        std::fs::rename(&new, &path)?;
    }
    Ok(path)
}
