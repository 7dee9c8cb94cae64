//! The config file of a node.

use crate::meter::{self, Bound};
use anabranch_server::{Config, Overrides};
use std::path::Path;

/// The parser of TOML keeps a tree of what it read, with places: each dot of a key nests a table of some 1,200 bytes, up to 79
/// deep. An error quotes the line.
pub const BOUND: Bound = Bound { times: 2_048, plus: 64 << 10 };

/// A config, or an error that names a line of the file. Reading it twice comes to the same.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (file, overrides) = (Path::new("/etc/anabranch/node.toml"), Overrides::new());
    let read = meter::within(BOUND, text.len(), || Config::parse(text, file, &overrides));
    match &read {
        Ok(config) => assert!(config.data_dir.is_absolute(), "paths are ready to use: {config:?}"),
        Err(error) => {
            let lines = text.split('\n').count();
            assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error} in a file of {lines} lines");
            assert!(!error.problem.is_empty());
        }
    }
    assert_eq!(read, Config::parse(text, file, &overrides));
}
