//! Runs the writer under the recorder.

use crate::disk::Disk;
use crate::trace::{self, Event};
use crate::writer::{TASK, Task};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The recorder, compiled, and room for its notes.
pub(crate) struct Recorder {
    dir: tempfile::TempDir,
    library: PathBuf,
}

/// What a process did, and the disk it found.
pub(crate) struct Recording {
    pub(crate) before: Disk,
    pub(crate) events: Vec<Event>,
    /// Whether the writer ended well. One whose store failed ends well too.
    pub(crate) said: String,
}

/// A directory on a fast disk: what is recorded as synced need not be.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory")
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let dir = scratch();
        let (source, library) = (dir.path().join("recorder.c"), dir.path().join("recorder.so"));
        std::fs::write(&source, include_str!("recorder.c")).expect("a file");
        let compiled = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
        let compiled = compiled.expect("a C compiler named cc: this test needs one");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { dir, library }
    }

    /// Records the writer at its task on what lies in `root`, which may fail at one sync.
    pub(crate) fn record(&self, root: &Path, task: Task, fail_sync: Option<usize>) -> Recording {
        let before = Disk::read(root).expect("a directory");
        let notes = self.dir.path().join("notes");
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "writer::as_the_recorded_process", "--nocapture"]);
        command.env("LD_PRELOAD", &self.library).env("ANABRANCH_RECORD", &notes).env("ANABRANCH_RECORD_ROOT", root);
        command.env(TASK, task.words());
        if let Some(fail) = fail_sync {
            command.env("ANABRANCH_FAIL_SYNC", fail.to_string());
        }
        let output = command.output().expect("a process");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "the writer failed, {task:?}, sync {fail_sync:?}: {said}");
        let events = trace::read(&std::fs::read(&notes).expect("notes")).expect("a trace that can be interpreted");
        Recording { before, events, said }
    }
}
