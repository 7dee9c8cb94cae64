//! Where the regions keep their data.

use crate::output;
use anyhow::Context;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that the user named, or one that goes when it is over.
pub(super) enum Place {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Place {
    /// Takes the directory, or makes a temporary one.
    ///
    /// # Errors
    /// When none can be made.
    pub(super) fn new(named: Option<&Path>) -> anyhow::Result<Self> {
        match named {
            Some(dir) => Ok(Self::Named(dir.to_owned())),
            None => {
                let made = tempfile::Builder::new().prefix("anabranch-demo-").tempdir();
                made.map(Self::Temporary).context("cannot make a temporary directory; name one with --data-dir")
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Named(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }

    /// Removes a temporary directory. Nothing may be open in it any more.
    pub(super) fn tidy_up(self) {
        if let Self::Temporary(dir) = self {
            let path = dir.path().to_owned();
            if let Err(error) = dir.close() {
                output::note(&format!("cannot remove {}: {error}", path.display()));
            }
        }
    }
}
