//! A file that was written in advance, as our log's segments are: each append is followed by fdatasync.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: u64 = 64 << 20;

/// Appends of so many bytes per second, each on disk before the next; from the beginning again at the end of the file.
pub fn appends(path: &Path, bytes: usize, length: Duration) -> anyhow::Result<f64> {
    let file = OpenOptions::new().create_new(true).read(true).write(true).open(path)?;
    let zeros = vec![0u8; 1 << 20];
    for at in (0..FILE).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    let record = vec![0x5a; bytes];
    let (mut at, mut count) = (0, 0u64);
    let start = Instant::now();
    while start.elapsed() < length {
        file.write_all_at(&record, at)?;
        file.sync_data()?;
        at = if at + 2 * bytes as u64 > FILE { 0 } else { at + bytes as u64 };
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
