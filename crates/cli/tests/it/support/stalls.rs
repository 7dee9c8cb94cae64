//! How long the machine itself stands still: what nobody can do in time then, nobody is blamed for.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(50);

/// Sleeps and writes to the disk, again and again, and notes when that takes long.
pub(crate) struct Stalls {
    stop: Arc<AtomicBool>,
    worst_us: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Stalls {
    pub(crate) fn watch() -> Self {
        let (stop, worst_us) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, worst) = (stop.clone(), worst_us.clone());
        let thread = std::thread::spawn(move || {
            let mut file = tempfile::tempfile().expect("a file");
            while !told.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(EVERY);
                file.write_all(&[7; 512]).and_then(|()| file.sync_data()).expect("a disk");
                let late = began.elapsed().saturating_sub(EVERY);
                worst.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { stop, worst_us, thread: Some(thread) }
    }

    /// The longest so far.
    pub(crate) fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It fails only if the disk did.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
