//! A file that was written in advance, as our log's segments are: each append is followed by fdatasync.

use crate::setting::{Commits, Until};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: u64 = 64 << 20;

/// Appends of so many bytes, each on disk before the next; from the beginning again at the end of the file.
pub fn appends(path: &Path, bytes: usize, until: Until) -> anyhow::Result<Commits> {
    let file = OpenOptions::new().create_new(true).read(true).write(true).open(path)?;
    let zeros = vec![0u8; 1 << 20];
    for at in (0..FILE).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    let record = vec![0x5a; bytes];
    let (mut at, mut count, mut worst) = (0, 0u64, Duration::ZERO);
    let start = Instant::now();
    while until.goes_on(start.elapsed(), count) {
        let begun = Instant::now();
        file.write_all_at(&record, at)?;
        file.sync_data()?;
        worst = worst.max(begun.elapsed());
        at = if at + 2 * bytes as u64 > FILE { 0 } else { at + bytes as u64 };
        count += 1;
    }
    Ok(Commits::new(count, start.elapsed(), worst))
}
