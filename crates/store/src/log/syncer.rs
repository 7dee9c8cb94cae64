//! Syncing a file on a thread of its own, while the writer does something else.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The thread, which is started when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Syncer {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    files: SyncSender<Arc<File>>,
    synced: Receiver<io::Result<()>>,
    thread: JoinHandle<()>,
}

impl Syncer {
    /// Makes what was written to `file` durable, and does `beside` at the same time. Both are done when this returns.
    ///
    /// # Errors
    /// What the sync failed with.
    pub(crate) fn sync(&mut self, file: &Arc<File>, beside: impl FnOnce()) -> io::Result<()> {
        let running = match self.running.take() {
            None => Running::start().ok(),
            running => running,
        };
        let Some(running) = running.filter(|running| running.files.send(file.clone()).is_ok()) else {
            // No thread can be had.
            beside();
            return file.sync_data();
        };
        beside();
        // A thread that is gone says nothing of what it did, and the next sync may not tell what this one met.
        let synced = running.synced.recv().map_err(io::Error::other)?;
        self.running = Some(running);
        synced
    }
}

impl Running {
    fn start() -> io::Result<Self> {
        let (files, to_sync) = sync_channel::<Arc<File>>(1);
        let (sender, synced) = sync_channel(1);
        let thread = std::thread::Builder::new().name("anabranch-sync".to_owned()).spawn(move || {
            for file in to_sync {
                if sender.send(file.sync_data()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { files, synced, thread })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if let Some(Running { files, thread, .. }) = self.running.take() {
            drop(files);
            // It does not panic, and nothing hangs on it any more.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done_and_errors_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(File::create(dir.path().join("file")).unwrap());
        let mut syncer = Syncer::default();
        for _ in 0..100 {
            let mut done = false;
            syncer.sync(&file, || done = true).unwrap();
            assert!(done);
        }
        // A pipe cannot be synced.
        #[cfg(unix)]
        {
            let (_reader, writer) = io::pipe().unwrap();
            let pipe = Arc::new(File::from(std::os::fd::OwnedFd::from(writer)));
            let mut done = false;
            assert!(syncer.sync(&pipe, || done = true).is_err() && done);
            syncer.sync(&file, || ()).unwrap();
        }
    }
}
