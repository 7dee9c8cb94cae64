//! The config file of a node: read, checked, and named field by field when something is wrong.

mod check;
mod nearest;
mod raw;

use anabranch::PeerConfig;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest config file that is looked at.
const MAX_FILE: u64 = 1 << 20;

/// What a node is to be. All paths are ready to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The cluster.
    pub cluster: String,
    /// The region.
    pub region: String,
    /// The node's name, unique in the cluster.
    pub name: String,
    /// The node that takes its writes, for a follower.
    pub leader: Option<String>,
    /// Where the data is.
    pub data_dir: PathBuf,
    /// How far clocks may be apart, if the default is not wanted.
    pub max_clock_skew: Option<Duration>,
    /// From where on replication lag is worth a warning, and clients are steered away.
    pub lag_limit: Duration,
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where peers are answered; `None` for a node that stands alone.
    pub quic: Option<SocketAddr>,
    /// The certificates; `None` for a node that stands alone.
    pub tls: Option<TlsFiles>,
    /// The other nodes.
    pub peers: Vec<PeerConfig>,
    /// Serve HTTP elsewhere than on loopback.
    pub insecure: bool,
    /// Web origins whose pages may send requests.
    pub allowed_origins: Vec<String>,
}

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// The node's certificate.
    pub cert: PathBuf,
    /// The node's private key.
    pub key: PathBuf,
}

/// What is wrong with a config file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// The field, as `table.key`, if it is about one.
    pub field: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Settings that go over the file's: `ANABRANCH_DATA_DIR`, `ANABRANCH_HTTP`, `ANABRANCH_QUIC`. Other names are ignored.
/// A data directory given here is relative to the current directory, as in any command.
pub type Overrides = BTreeMap<String, String>;

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    /// [`ConfigError`], before anything but the file was looked at.
    pub fn load(file: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text =
            read(file).map_err(|problem| ConfigError { file: file.to_owned(), line: None, field: None, problem })?;
        Self::parse(&text, file, overrides)
    }

    /// Reads the text of a config file that lies, or would lie, at `file`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let raw = raw::parse(text, file)?;
        check::Checking { text, file }.config(raw, overrides)
    }
}

fn read(file: &Path) -> Result<String, String> {
    let info = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?;
    if !info.is_file() {
        return Err("is not a file".to_owned());
    }
    if info.len() > MAX_FILE {
        return Err(format!("has {} bytes; a config file has at most {MAX_FILE}", info.len()));
    }
    let bytes = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests;
