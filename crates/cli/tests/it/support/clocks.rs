//! Clocks that are wrong, by way of libfaketime.

use std::path::PathBuf;
use std::process::Command;

/// How far a process's wall clock is from the true one. Time that is only measured goes on as it does.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    /// As libfaketime writes it: `-1h`, `+0.2`.
    pub(crate) offset: String,
}

impl Clock {
    /// None where libfaketime is not installed.
    pub(crate) fn off_by(offset: &str) -> Option<Self> {
        let places =
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
        let files = places.iter().flat_map(|place| ["faketime", "."].map(|dir| PathBuf::from(place).join(dir)));
        let library = files.map(|dir| dir.join("libfaketimeMT.so.1")).find(|file| file.exists())?;
        Some(Self { library, offset: offset.to_owned() })
    }

    /// Lets a process live by it.
    pub(crate) fn set(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME", &self.offset);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    }
}

/// Removes what libfaketime leaves of a process that was killed.
pub(crate) fn forget(pid: u32) {
    for file in [format!("/dev/shm/faketime_shm_{pid}"), format!("/dev/shm/sem.faketime_sem_{pid}")] {
        // Most processes have none.
        let _ = std::fs::remove_file(file);
    }
}
