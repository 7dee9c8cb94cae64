//! Certificates and keys in files: bounded reads, private keys kept private.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::name::NameError;

/// No certificate or key file is anywhere near this long.
const LONGEST_FILE: u64 = 64 * 1024;

/// A certificate or key cannot be made, read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A cluster, region or node name is not allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file to be written exists; it is left as it is.
    #[error("{} exists already and is not overwritten: remove it first if it is to be replaced", .0.display())]
    Exists(
        /// The file.
        PathBuf,
    ),
    /// A private key can be read by others than its owner.
    #[error(
        "the private key {} has mode {mode:04o}, so others can read it: run chmod 600 on it \
         (and replace the key if it may have been read)",
        path.display()
    )]
    KeyMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Text is not the certificate or key it should be.
    #[error("{what} is unusable: {reason}")]
    Malformed {
        /// The file's path, or what was given if it came from no file.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key and a certificate do not belong together.
    #[error("the key {key} does not belong to the certificate {certificate}")]
    KeyMismatch {
        /// The certificate's path or description.
        certificate: String,
        /// The key's path or description.
        key: String,
    },
    /// A node's own certificate would be refused by the other nodes of its cluster.
    #[error(
        "the certificate {certificate} of {name} would be refused by the cluster whose authority is \
         {authority}: {reason}"
    )]
    NotAccepted {
        /// The certificate's path or description.
        certificate: String,
        /// The name it states.
        name: String,
        /// The authority's path or description.
        authority: String,
        /// Why it would be refused.
        reason: String,
    },
    /// A key or certificate could not be generated.
    #[error("cannot generate a certificate: {0}")]
    Generate(String),
}

impl From<rcgen::Error> for CredentialError {
    fn from(error: rcgen::Error) -> Self {
        Self::Generate(error.to_string())
    }
}

/// Reads a public file.
pub(crate) fn read_public(path: &Path) -> Result<Vec<u8>, CredentialError> {
    let failed = |source| read_failed(path, source);
    read_bounded(path, File::open(path).map_err(failed)?)
}

/// Reads a private key; refuses one which others may read.
pub(crate) fn read_private(path: &Path) -> Result<Vec<u8>, CredentialError> {
    let failed = |source| read_failed(path, source);
    let file = File::open(path).map_err(failed)?;
    // The mode is asked of the open file: the path could name another one a moment later.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(CredentialError::KeyMode { path: path.into(), mode });
        }
    }
    read_bounded(path, file)
}

fn read_bounded(path: &Path, file: File) -> Result<Vec<u8>, CredentialError> {
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(|source| read_failed(path, source))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(CredentialError::Malformed {
            what: path.display().to_string(),
            reason: format!("it is longer than {LONGEST_FILE} bytes"),
        });
    }
    Ok(bytes)
}

fn read_failed(path: &Path, source: io::Error) -> CredentialError {
    CredentialError::Read { path: path.into(), source }
}

/// Writes `STEM.pem` and `STEM.key` (mode 0600) into `dir`, which is made if missing.
///
/// Neither file is overwritten. If the certificate cannot be written, the new key is removed.
pub(crate) fn write_pair(
    dir: &Path,
    stem: &str,
    cert_pem: &str,
    key_pem: &str,
) -> Result<(PathBuf, PathBuf), CredentialError> {
    std::fs::create_dir_all(dir).map_err(|source| CredentialError::Write { path: dir.into(), source })?;
    let cert_path = dir.join(format!("{stem}.pem"));
    let key_path = dir.join(format!("{stem}.key"));
    write_new(&key_path, key_pem, 0o600)?;
    if let Err(error) = write_new(&cert_path, cert_pem, 0o644) {
        // Best effort: the error to report is the first one.
        let _ = std::fs::remove_file(&key_path);
        return Err(error);
    }
    Ok((cert_path, key_path))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), CredentialError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CredentialError::Exists(path.into()),
        _ => CredentialError::Write { path: path.into(), source },
    };
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
