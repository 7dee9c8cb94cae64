//! The machine that was measured, and the versions.

use std::fs;
use std::process::Command;

/// One line about processor, memory, kernel and disk, and what allocates in this process.
pub fn describe(dir: &std::path::Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let (processor, memory) = (field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal"));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let disk = output("df", &["--output=fstype", &dir.display().to_string()]);
    let disk = disk.lines().last().unwrap_or_default();
    format!("{processor}, {cores} cores, {memory} of memory, Linux {}, {disk}, mimalloc", kernel.trim())
}

/// The commit that was measured, with a mark where the tree had changes.
pub fn commit() -> String {
    let dirty =
        if output("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { ", changed" };
    format!("{}{dirty}", output("git", &["rev-parse", "--short", "HEAD"]))
}

/// Today, as the machine has it.
pub fn date() -> String {
    output("date", &["-u", "+%Y-%m-%d"])
}

/// What a command prints, or nothing where it cannot be run.
pub fn output(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
