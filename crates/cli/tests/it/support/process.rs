//! A node's process.

use super::command::program;
use super::{clocks, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running `anabranch serve`; killed when dropped. Its log is kept beside its configuration.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a node; it need not be up yet.
    pub(crate) fn start(config: &Path) -> Self {
        let mut command = program();
        command.args(["serve", "--config"]).arg(config);
        Self::start_command(command, config)
    }

    /// Starts a node with a command of the test's own.
    pub(crate) fn start_command(mut command: Command, config: &Path) -> Self {
        let log = config.with_extension("log");
        let file: File = OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a handle")).stderr(file);
        Self { child: command.spawn().expect("the node starts"), log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal");
    }

    /// Ends it the hard way, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("waiting");
        clocks::forget(self.pid());
    }

    /// Ends it the polite way; says how, and how long it took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.signal(Signal::TERM);
        let began = Instant::now();
        eventually("the node ends", Duration::from_secs(10), || self.has_ended());
        (self.child.wait().expect("waiting"), began.elapsed())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("waiting").is_some()
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kib * 1024
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failed test shows what its nodes had to say")]
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        clocks::forget(self.pid());
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let from = log.lines().count().saturating_sub(40);
            let tail: Vec<_> = log.lines().skip(from).collect();
            eprintln!("--- the end of {}:\n{}", self.log.display(), tail.join("\n"));
        }
    }
}
