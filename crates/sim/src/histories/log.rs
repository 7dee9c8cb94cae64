//! Writing a history: a header line, then one line of JSON for each operation.

use super::event::Event;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(crate) const FORMAT: &str = "anabranch-history";
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// Whose tokens these are. Without it no token is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
}

impl Header {
    pub(crate) fn new(cluster: Option<&str>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, cluster: cluster.map(str::to_owned) }
    }
}

/// Writes a history, from any number of threads. It also has what they must share: the clock and the numbers.
#[derive(Debug)]
pub struct Log<W: Write> {
    writer: Mutex<BufWriter<W>>,
    began: Instant,
    next: AtomicU64,
}

impl Log<File> {
    /// A new file, or an old one emptied. `cluster`: whose tokens will be in it, if they are to be looked at.
    ///
    /// # Errors
    /// Those of the file.
    pub fn create(path: impl AsRef<Path>, cluster: Option<&str>) -> io::Result<Self> {
        Self::new(File::create(path)?, cluster)
    }
}

impl<W: Write> Log<W> {
    /// A log into `writer`, to which it writes the header now.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(writer: W, cluster: Option<&str>) -> io::Result<Self> {
        let writer = Mutex::new(BufWriter::new(writer));
        let log = Self { writer, began: Instant::now(), next: AtomicU64::new(1) };
        log.line(&Header::new(cluster))?;
        Ok(log)
    }

    /// A number that this log has not given before: for events, writes and operations.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The history's clock: microseconds since the log was made.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Adds an operation that has ended, in any order.
    ///
    /// # Errors
    /// Those of the writer. What was to be written may then be there in part.
    pub fn append(&self, event: &Event) -> io::Result<()> {
        self.line(event)
    }

    /// Writes out what is still held back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&self) -> io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }

    /// Gives back the writer, with everything written.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(self) -> io::Result<W> {
        let writer = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        writer.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn line(&self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        // One call per line, so that lines of several threads stay whole.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}
